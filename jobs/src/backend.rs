//! The apalis backend over our task table: it hands out what the claimer has leased. What a task came to is written in
//! that task's own transaction, so there is nothing to flush here; and no failure of the database reaches apalis.

use std::convert::Infallible;
use std::task::{Context, Poll};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::{RandomId, TaskId};
use apalis_core::worker::context::WorkerContext;
use leadyard_entity::tasks::Claimed;
use tokio::sync::mpsc;
use tower::layer::util::Identity;

/// Leased tasks on their way to the worker.
#[derive(Debug)]
pub(crate) struct ClaimedTasks {
    tasks: mpsc::Receiver<Claimed>,
}

impl ClaimedTasks {
    pub(crate) fn new(tasks: mpsc::Receiver<Claimed>) -> Self {
        Self { tasks }
    }
}

impl Backend for ClaimedTasks {
    type Task = Task<Claimed>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        let next = std::task::ready!(self.tasks.poll_recv(cx));
        Poll::Ready(next.map(|claimed| {
            let id = TaskId::from_string(claimed.id.to_string());
            Ok(TaskBuilder::new(claimed).task_id(id).build())
        }))
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Self::Error>> {
        // What was not handed out is given back by the shutdown.
        self.tasks.close();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for ClaimedTasks {
    type Args = Claimed;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}
