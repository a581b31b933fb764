//! Circles on the globe: which of many radii hold a point, exactly as [`distance::metres`] says.
//!
//! Circles are sorted into cells of half a degree. A point is held against its cell's circles by the straight line through
//! the earth, which takes three multiplications: roughly against eight at once, exactly against those that are left. Only
//! within a hand's breadth of an edge the distance itself is computed.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::distance::{self, EARTH_RADIUS_KM};
use super::super::facts::Centre;
use super::bits::add_position_if;

/// More cells than this, and a circle is held against every point instead: some 700 km.
const CELLS_MAX: usize = 1_024;
/// Beyond this the straight line says too little about the distance, and only the distance counts.
const CHORD_KM_MAX: u32 = 15_000;
/// How near to an edge the distance itself decides, in metres.
const DOUBT_METRES: f64 = 0.25;
/// Room around a circle's cells for the last bits of sines, in degrees: a kilometre.
const MARGIN_DEGREES: f64 = 0.01;

/// A point as a unit vector, and as it was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    unit: [f64; 3],
    centre: Centre,
}

impl Point {
    pub(super) fn new(centre: Centre) -> Self {
        let (latitude, longitude) = (centre.latitude.to_radians(), centre.longitude.to_radians());
        let unit = [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()];
        Self { unit, centre }
    }
}

/// A circle, with what decides about nearly every point near it.
#[derive(Debug, Clone)]
struct Circle {
    unit: [f64; 3],
    /// Squared straight line below which the point is inside for sure, and from which on it is outside.
    inside: f64,
    outside: f64,
    position: u32,
    km: u32,
    centre: Centre,
}

impl Circle {
    fn new(position: u32, centre: Centre, km: u32) -> Self {
        // Distances are compared in whole metres, so the edge lies half a metre further out.
        let edge_metres = f64::from(km) * 1000.0 + 0.5;
        let chord = |metres: f64| 2.0 * (metres / (2000.0 * EARTH_RADIUS_KM)).sin();
        let (inside, outside) = if km > CHORD_KM_MAX {
            (-1.0, f64::INFINITY)
        } else {
            (chord(edge_metres - DOUBT_METRES).powi(2), chord(edge_metres + DOUBT_METRES).powi(2))
        };
        Self { unit: Point::new(centre).unit, inside, outside, position, km, centre }
    }

    fn holds(&self, point: &Point) -> bool {
        let [x, y, z] = [0, 1, 2].map(|axis| self.unit[axis] - point.unit[axis]);
        let chord = x * x + y * y + z * z;
        chord < self.inside
            || chord < self.outside && distance::is_within(distance::metres(self.centre, point.centre), self.km)
    }
}

/// How many circles are held against a point at once.
const LANES: usize = 8;
/// What a straight line of halved precision may be wrong by: every coordinate by 2^-24 at most, so the line by 1.1e-7 and
/// 2e-7 of itself. This is several times as much, and some ten metres on the ground.
const LANE_DOUBT: f64 = 1e-6;

/// Eight circles side by side in halved precision, which decides about all points but those within ten metres of an edge.
#[derive(Debug, Clone)]
struct Lanes {
    unit: [[f32; LANES]; 3],
    /// Squared straight line below which a point is inside for sure, and from which on it is outside.
    inside: [f32; LANES],
    outside: [f32; LANES],
    positions: [u32; LANES],
}

/// No circle: nothing is inside.
const EMPTY: Lanes =
    Lanes { unit: [[0.0; LANES]; 3], inside: [-1.0; LANES], outside: [-1.0; LANES], positions: [0; LANES] };

impl Lanes {
    #[allow(clippy::cast_possible_truncation, reason = "halved precision is the point; the doubt is allowed for")]
    fn set(&mut self, lane: usize, circle: Option<&Circle>) {
        let Some(circle) = circle else {
            (self.inside[lane], self.outside[lane]) = (-1.0, -1.0);
            return;
        };
        for (axis, own) in self.unit.iter_mut().zip(circle.unit) {
            axis[lane] = own as f32;
        }
        let sure = circle.inside.max(0.0).sqrt() * (1.0 - LANE_DOUBT) - LANE_DOUBT;
        self.inside[lane] = sure.max(0.0).powi(2) as f32;
        self.outside[lane] = (circle.outside.sqrt() * (1.0 + LANE_DOUBT) + LANE_DOUBT).powi(2) as f32;
        self.positions[lane] = circle.position;
    }

    /// Adds the positions of the circles that hold the point; answers those in doubt, a bit each.
    fn add_to(&self, point: [f32; 3], words: &mut [u64]) -> u32 {
        let mut chords = [0.0; LANES];
        for (axis, own) in self.unit.iter().zip(point) {
            for (chord, coordinate) in chords.iter_mut().zip(axis) {
                *chord += (coordinate - own) * (coordinate - own);
            }
        }
        let mut doubted = 0;
        let edges = self.inside.iter().zip(&self.outside);
        for (((lane, chord), (inside, outside)), position) in (0..).zip(&chords).zip(edges).zip(&self.positions) {
            let holds = chord < inside;
            add_position_if(holds, *position, words);
            doubted |= u32::from(!holds & (chord < outside)) << lane;
        }
        doubted
    }
}

/// Positions of one piece of a group: an edit copies the pieces its circle stands in.
const PIECE_POSITIONS: u32 = 16_384;

/// Circles side by side; the `n`th stands in lane `n % 8` of lanes `n / 8`.
#[derive(Debug, Clone, Default)]
struct Piece {
    lanes: Vec<Lanes>,
    circles: Vec<Circle>,
}

impl Piece {
    fn push(&mut self, circle: Circle) {
        self.circles.push(circle);
        self.align(self.circles.len() - 1);
    }

    fn remove(&mut self, position: u32) {
        while let Some(at) = self.circles.iter().position(|circle| circle.position == position) {
            self.circles.swap_remove(at);
            self.align(at);
            self.align(self.circles.len());
        }
    }

    /// Sets the lane of a circle that came, moved or went.
    fn align(&mut self, at: usize) {
        if self.lanes.len() <= at / LANES {
            self.lanes.push(EMPTY);
        }
        self.lanes[at / LANES].set(at % LANES, self.circles.get(at));
        self.lanes.truncate(self.circles.len().div_ceil(LANES));
    }

    #[allow(clippy::cast_possible_truncation, reason = "halved precision is the point; the doubt is allowed for")]
    fn add_to(&self, point: &Point, words: &mut [u64]) {
        let rough = point.unit.map(|coordinate| coordinate as f32);
        for (lanes, circles) in self.lanes.iter().zip(self.circles.chunks(LANES)) {
            let doubted = lanes.add_to(rough, words);
            if doubted != 0 {
                let is_doubted = |(lane, _): &(u32, &Circle)| doubted >> lane & 1 == 1;
                (0..)
                    .zip(circles)
                    .filter(is_doubted)
                    .for_each(|(_, circle)| add_position_if(circle.holds(point), circle.position, words));
            }
        }
    }
}

/// The circles of a cell, in pieces by their positions, ascending.
#[derive(Debug, Clone, Default)]
struct Group(Vec<(u32, Arc<Piece>)>);

impl Group {
    fn find(&self, position: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&(position / PIECE_POSITIONS), |(piece, _)| *piece)
    }

    fn push(&mut self, circle: Circle) {
        let at = self.find(circle.position).unwrap_or_else(|gap| {
            self.0.insert(gap, (circle.position / PIECE_POSITIONS, Arc::default()));
            gap
        });
        Arc::make_mut(&mut self.0[at].1).push(circle);
    }

    fn remove(&mut self, position: u32) {
        let Ok(at) = self.find(position) else { return };
        let (_, piece) = &mut self.0[at];
        // What is not there must not cost a copy.
        if piece.circles.iter().any(|circle| circle.position == position) {
            Arc::make_mut(piece).remove(position);
            if self.0[at].1.circles.is_empty() {
                self.0.remove(at);
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add_to(&self, point: &Point, words: &mut [u64]) {
        self.0.iter().for_each(|(_, piece)| piece.add_to(point, words));
    }
}

/// A cell: its south-west corner, in halves of a degree.
type Cell = (i16, i16);

const CELLS_PER_DEGREE: i16 = 2;

/// Many circles.
#[derive(Debug, Clone, Default)]
pub(super) struct Circles {
    cells: Arc<HashMap<Cell, Group>>,
    /// Those too wide for cells.
    wide: Group,
}

impl Circles {
    pub(super) fn insert(&mut self, centre: Centre, km: u32, position: u32) {
        let circle = Circle::new(position, centre, km);
        match cells_of(centre, km) {
            Some(cells) => {
                let own = Arc::make_mut(&mut self.cells);
                cells.into_iter().for_each(|cell| own.entry(cell).or_default().push(circle.clone()));
            }
            None => self.wide.push(circle),
        }
    }

    /// Takes the position's circle of this centre and radius out.
    pub(super) fn remove(&mut self, centre: Centre, km: u32, position: u32) {
        let Some(cells) = cells_of(centre, km) else { return self.wide.remove(position) };
        let own = Arc::make_mut(&mut self.cells);
        for cell in cells {
            if let Some(group) = own.get_mut(&cell) {
                group.remove(position);
                if group.is_empty() {
                    own.remove(&cell);
                }
            }
        }
    }

    /// Adds the positions of the circles that hold the point.
    pub(super) fn add_to(&self, point: &Point, words: &mut [u64]) {
        if let Some(near) = self.cells.get(&cell_of(point.centre)) {
            near.add_to(point, words);
        }
        self.wide.add_to(point, words);
    }
}

#[allow(clippy::cast_possible_truncation, reason = "degrees of the globe")]
fn whole_cells(degrees: f64) -> i16 {
    (degrees * f64::from(CELLS_PER_DEGREE)).floor() as i16
}

fn cell_of(centre: Centre) -> Cell {
    (whole_cells(centre.latitude), wrapped(whole_cells(centre.longitude)))
}

/// The longitude's cell, once around the globe.
fn wrapped(longitude: i16) -> i16 {
    (longitude + 180 * CELLS_PER_DEGREE).rem_euclid(360 * CELLS_PER_DEGREE) - 180 * CELLS_PER_DEGREE
}

/// The cells a circle touches (and a few around it); `None` if they are too many.
fn cells_of(centre: Centre, km: u32) -> Option<Vec<Cell>> {
    let angle = (f64::from(km) + 0.001) / EARTH_RADIUS_KM;
    let reach = angle.to_degrees() + MARGIN_DEGREES;
    let (south, north) = (centre.latitude - reach, centre.latitude + reach);
    if south <= -90.0 || north >= 90.0 {
        return None;
    }
    let east = (angle.sin() / centre.latitude.to_radians().cos()).asin().to_degrees() + MARGIN_DEGREES;
    if !east.is_finite() || east >= 179.0 {
        return None;
    }
    let rows = whole_cells(south)..=whole_cells(north);
    let columns = whole_cells(centre.longitude - east)..=whole_cells(centre.longitude + east);
    if rows.len() * columns.len() > CELLS_MAX {
        return None;
    }
    Some(rows.flat_map(|row| columns.clone().map(move |column| (row, wrapped(column)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_centre() -> impl Strategy<Value = Centre> {
        prop_oneof![
            (-90.0..90.0, -180.0..180.0),
            (47.0..55.0, 6.0..15.0),
            (-90i32..=90, -180i32..=180).prop_map(|(latitude, longitude)| (f64::from(latitude), f64::from(longitude))),
        ]
        .prop_map(|(latitude, longitude)| Centre { latitude, longitude })
    }

    proptest! {
        /// The cells hold exactly what measuring every circle gives: poles, date line and antipodes included.
        #[test]
        fn cells_equal_measuring_every_circle(
            circles in prop::collection::vec((any_centre(), prop_oneof![0u32..3, 3u32..300, 300u32..21_000]), 1..20), points in prop::collection::vec(any_centre(), 1..20),
        ) {
            // Far apart, so that they stand in several pieces.
            let at = |number: usize| 9_000 * u32::try_from(number).unwrap();
            let mut index = Circles::default();
            for (number, (centre, km)) in circles.iter().enumerate() {
                index.insert(*centre, *km, at(number));
            }
            let before = index.clone();
            for point in points.iter().chain(circles.iter().map(|(centre, _)| centre)) {
                let mut words = vec![0; 20 * 9_000 / 64 + 1];
                index.add_to(&Point::new(*point), &mut words);
                let mut wanted = vec![0; words.len()];
                for (number, (centre, km)) in circles.iter().enumerate() {
                    add_position_if(distance::is_within(distance::metres(*centre, *point), *km), at(number), &mut wanted);
                }
                prop_assert_eq!(words, wanted);
            }
            for (number, (centre, km)) in circles.iter().enumerate() {
                index.remove(*centre, *km, at(number));
            }
            prop_assert!(index.wide.is_empty() && index.cells.is_empty());
            prop_assert!(!before.wide.is_empty() || !before.cells.is_empty());
        }
    }

    /// To the metre: a point on the edge is in, a metre further is out.
    #[test]
    fn the_edge_is_the_distances_edge() {
        let centre = Centre { latitude: 52.0, longitude: 13.0 };
        let degree_metres = distance::metres(centre, Centre { latitude: 53.0, longitude: 13.0 });
        for offset in -40..=40 {
            let north = f64::from(offset) * 1e-6;
            let point = Centre {
                latitude: 52.0 + 100_000.0 / f64::from(u32::try_from(degree_metres).unwrap()) + north,
                longitude: 13.0,
            };
            let (mut circles, mut words) = (Circles::default(), [0]);
            circles.insert(centre, 100, 0);
            circles.add_to(&Point::new(point), &mut words);
            assert_eq!(words[0] == 1, distance::metres(centre, point) <= 100_000, "{offset}");
        }
    }
}
