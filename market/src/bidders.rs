//! Where buyers are asked. Looked up for every auction, since whoever was set aside is asked no more; made ready only where
//! a destination is new or was changed, since its settings are read and its secrets opened for that.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use leadyard_connectors::PingEndpoint;
use leadyard_entity::Store;
use leadyard_entity::model::destination;
use leadyard_types::{DestinationId, Principal, SystemTask};

use crate::batcher::Batcher;

/// Where buyers are asked, by destination; those left out that are set aside or ended.
pub(crate) type Bidders = Arc<HashMap<DestinationId, Arc<PingEndpoint>>>;

/// Looks bidders up: the auctions that begin at the same moment share one look.
pub(crate) fn lookup(store: &Store, limit: usize) -> Batcher<BTreeSet<DestinationId>, Bidders> {
    let (store, ready) = (store.clone(), Arc::new(Endpoints::default()));
    Batcher::start(limit, move |asking: Vec<BTreeSet<DestinationId>>| {
        let (store, ready) = (store.clone(), Arc::clone(&ready));
        async move {
            let wanted = asking.iter().flatten().copied().collect();
            let rows = store.read(Principal::System(SystemTask::Place)).bidders(&wanted).await?;
            let bidders = Arc::new(ready.of(&store, &wanted, rows));
            Ok(vec![bidders; asking.len()])
        }
    })
}

/// Endpoints that were made ready, with the version of the destination they were made of.
#[derive(Default)]
struct Endpoints(Mutex<HashMap<DestinationId, (i64, Arc<PingEndpoint>)>>);

impl Endpoints {
    /// The endpoints of these rows. Of the destinations that are wanted and have none, nothing is kept.
    fn of(
        &self,
        store: &Store,
        wanted: &BTreeSet<DestinationId>,
        rows: Vec<destination::Model>,
    ) -> HashMap<DestinationId, Arc<PingEndpoint>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = HashMap::with_capacity(rows.len());
        for row in rows {
            let id = DestinationId(row.id);
            let endpoint = match known.get(&id) {
                Some((version, endpoint)) if *version == row.version => Arc::clone(endpoint),
                _ => Arc::new(endpoint(store, &row)),
            };
            known.insert(id, (row.version, Arc::clone(&endpoint)));
            found.insert(id, endpoint);
        }
        wanted.iter().filter(|id| !found.contains_key(id)).for_each(|id| {
            known.remove(id);
        });
        found
    }
}

/// One buyer's secret that cannot be opened is that buyer's trouble: it fails whoever asks there, and nobody else.
fn endpoint(store: &Store, row: &destination::Model) -> PingEndpoint {
    match store.destination_secrets(row) {
        Ok(secrets) => PingEndpoint::new(&row.config, secrets),
        Err(error) => {
            tracing::error!(%error, destination = %DestinationId(row.id), "a buyer cannot be asked for bids");
            PingEndpoint::unusable("the secret of the destination cannot be read")
        }
    }
}
