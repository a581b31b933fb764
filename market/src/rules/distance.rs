//! Distances on the globe: great circle by the haversine formula (domain page, section 3: filters).

use super::facts::Centre;

/// The earth's mean radius in kilometres (IUGG 1980).
pub(crate) const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// The great-circle distance in whole metres. Comparing metres makes an edge an edge on every machine, whatever the
/// last bit of its sine.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "half the earth's girth is 20 million metres")]
pub fn metres(a: Centre, b: Centre) -> i64 {
    let (latitude_a, latitude_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half_latitude = (latitude_b - latitude_a) / 2.0;
    let half_longitude = (b.longitude - a.longitude).to_radians() / 2.0;
    let h = half_latitude.sin().powi(2) + latitude_a.cos() * latitude_b.cos() * half_longitude.sin().powi(2);
    (2.0 * EARTH_RADIUS_KM * 1000.0 * h.sqrt().min(1.0).asin()).round() as i64
}

/// Whether a distance lies within so many kilometres, the edge included.
#[must_use]
pub fn is_within(metres: i64, km: u32) -> bool {
    metres <= i64::from(km) * 1000
}

/// A distance as shown: kilometres with one decimal.
#[must_use]
pub fn shown(metres: i64) -> String {
    let tenths = (metres + 50) / 100;
    format!("{}.{} km", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BERLIN: Centre = Centre { latitude: 52.5200, longitude: 13.4050 };
    const MUNICH: Centre = Centre { latitude: 48.1372, longitude: 11.5755 };

    /// Known distances: Berlin–Munich, across the date line, pole to pole, none.
    #[test]
    fn known_distances_are_right() {
        assert_eq!(shown(metres(BERLIN, MUNICH)), "504.3 km");
        let (west, east) = (Centre { latitude: 0.0, longitude: 179.5 }, Centre { latitude: 0.0, longitude: -179.5 });
        assert_eq!(shown(metres(west, east)), "111.2 km");
        let (north, south) = (Centre { latitude: 90.0, longitude: 0.0 }, Centre { latitude: -90.0, longitude: 77.0 });
        assert_eq!(metres(north, south) / 1000, 20_015);
        assert_eq!(metres(BERLIN, BERLIN), 0);
    }

    /// The edge is included, to the metre.
    #[test]
    fn the_edge_is_included() {
        assert!(is_within(50_000, 50));
        assert!(!is_within(50_001, 50));
        assert!(is_within(0, 0));
        assert_eq!(
            (shown(0), shown(949), shown(950), shown(12_345)),
            ("0.0 km".into(), "0.9 km".into(), "1.0 km".into(), "12.3 km".into())
        );
    }

    proptest! {
        /// A distance is the same both ways, and no detour is shorter.
        #[test]
        fn distances_are_a_metric(
            a in (-90.0..90.0, -180.0..180.0), b in (-90.0..90.0, -180.0..180.0), c in (-90.0..90.0, -180.0..180.0),
        ) {
            let centre = |(latitude, longitude)| Centre { latitude, longitude };
            let (a, b, c) = (centre(a), centre(b), centre(c));
            prop_assert_eq!(metres(a, b), metres(b, a));
            prop_assert!(metres(a, c) <= metres(a, b) + metres(b, c) + 2);
        }
    }
}
