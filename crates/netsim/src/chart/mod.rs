//! The trace as a message-sequence chart.

use std::fmt::{self, Write};

use floe_stun::Time;

use crate::endpoint::SendError;
use crate::hash::FastMap;
use crate::id::{EndpointId, HostId, PacketId};
use crate::network::Network;
use crate::trace::{DropReason, Event, Place, Record};

mod summary;
#[cfg(test)]
mod tests;

pub use summary::Summary;

/// Lines shown by default.
const DEFAULT_LINES: usize = 200;
/// Hosts that get a lane; others are named in the text.
const MAX_LANES: usize = 8;
/// Characters from one lane to the next.
const LANE_WIDTHS: std::ops::RangeInclusive<usize> = 8..=14;

/// The trace of a network as a message-sequence chart for the terminal: one line for each packet at the time it was sent,
/// with what it was and what became of it. [`Network::chart`] makes one; printing it is all there is to do.
///
/// ```text
/// seed 42
///         ms  alice   bob     stun
///      0.000  o-------|------->  Binding request #07d1  192.168.1.2:5000 (203.0.113.1:5000) -> 203.0.113.3:3478  +20.000
///     20.000  <-------|-------o  Binding success #07d1 mapped 203.0.113.1:5000  203.0.113.3:3478 -> 203.0.113.1:5000  +20.000
///     40.000  ~~~~~~~~>       |  candidate 0 candidate:1 1 UDP 2130706431 192.168.1.2 5000 typ host  +50.000
///     41.000  |   x---o       |  Binding request #66f0 controlled prio 1862270975  192.168.2.2:5000 -> 203.0.113.1:5000  filtered by NAT at alice-nat
///     90.000  |       #       |  -- state checking
/// ```
///
/// Packets are drawn with `-`, signalling with `~`; an `x` is where a packet ended, `@` one that stayed on its host, `*` an
/// injected one, `#` a remark of an endpoint. The address in brackets is the one the receiver saw. After the `+` is the time
/// the packet took in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    net: &'a Network,
    max_lines: usize,
    from: Time,
    to: Time,
}

impl Network {
    /// What happened so far, as a chart.
    #[must_use]
    pub const fn chart(&self) -> Chart<'_> {
        Chart { net: self, max_lines: DEFAULT_LINES, from: Time::ZERO, to: Time::MAX }
    }
}

impl Chart<'_> {
    /// At most so many lines, 200 by default: beyond, two thirds are the first and the rest the last.
    #[must_use]
    pub const fn max_lines(mut self, lines: usize) -> Self {
        self.max_lines = lines;
        self
    }

    /// Only what was sent from `from` on and before `to`.
    #[must_use]
    pub const fn between(mut self, from: Time, to: Time) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let mut lines: Vec<Line<'_>> = Vec::new();
        let mut index = FastMap::<PacketId, usize>::default();
        for record in self.net.trace().records() {
            if let Some(&line) = index.get(&record.packet) {
                self.continue_line(&mut lines[line], &record);
                if let Event::Duplicated { copy } = record.event {
                    index.insert(copy, lines.len());
                    lines.push(Line { time: record.time, copy: true, fate: Fate::OnItsWay, ..lines[line] });
                }
                continue;
            }
            if record.time < self.from || record.time >= self.to {
                continue;
            }
            if let Some(line) = self.start_line(record) {
                if !matches!(record.event, Event::Note { .. }) {
                    index.insert(record.packet, lines.len());
                }
                lines.push(line);
            }
        }
        lines
    }

    fn start_line<'r>(&self, record: Record<'r>) -> Option<Line<'r>> {
        let (from, to, fate) = match record.event {
            Event::Sent { endpoint, .. } => (self.host(endpoint), None, Fate::OnItsWay),
            Event::Refused { endpoint, error } => (self.host(endpoint), None, Fate::Refused(error)),
            Event::SignalSent { from, to } => (self.host(from), self.host(to), Fate::OnItsWay),
            Event::Note { endpoint } => (endpoint.and_then(|id| self.host(id)), None, Fate::OnItsWay),
            Event::Injected { .. } => (None, None, Fate::OnItsWay),
            _ => return None,
        };
        let to = to.or_else(|| self.net.topology().likely_host(record.destination.ip()));
        Some(Line { time: record.time, from, to, seen: None, copy: false, start: record, fate })
    }

    fn continue_line(&self, line: &mut Line<'_>, record: &Record<'_>) {
        match record.event {
            Event::Delivered { endpoint, .. } | Event::SignalDelivered { to: endpoint, .. } => {
                line.to = self.host(endpoint);
                line.seen = (record.source != line.start.source).then_some(record.source);
                line.fate = Fate::Arrived(record.time);
            }
            Event::Dropped { reason, place } => line.fate = Fate::Dropped(reason, place),
            _ => {}
        }
    }

    fn host(&self, endpoint: EndpointId) -> Option<HostId> {
        self.net.host_of(endpoint)
    }

    fn name(&self, host: HostId) -> &str {
        self.net.topology().host(host).map_or("?", |host| &host.name)
    }
}

/// One packet, message or note.
#[derive(Clone, Copy)]
struct Line<'r> {
    time: Time,
    from: Option<HostId>,
    to: Option<HostId>,
    /// The source address that the receiver saw, if it was another.
    seen: Option<std::net::SocketAddr>,
    copy: bool,
    start: Record<'r>,
    fate: Fate,
}

#[derive(Clone, Copy)]
enum Fate {
    OnItsWay,
    Arrived(Time),
    Dropped(DropReason, Place),
    Refused(SendError),
}

/// The lanes of a chart: which hosts have one, and how wide they are.
struct Lanes {
    hosts: Vec<HostId>,
    width: usize,
}

impl Lanes {
    fn of(chart: &Chart<'_>, lines: &[Line<'_>]) -> Self {
        let mut hosts: Vec<_> = lines.iter().flat_map(|line| [line.from, line.to]).flatten().collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.truncate(MAX_LANES);
        let longest = hosts.iter().map(|&host| chart.name(host).chars().count()).max().unwrap_or(0);
        Self { hosts, width: (longest + 2).clamp(*LANE_WIDTHS.start(), *LANE_WIDTHS.end()) }
    }

    fn column(&self, host: Option<HostId>) -> Option<usize> {
        let place = self.hosts.iter().position(|known| Some(*known) == host)?;
        Some(place * self.width)
    }

    /// The lanes with an arrow in them.
    fn draw(&self, line: &Line<'_>) -> String {
        let len = self.hosts.len().saturating_sub(1) * self.width + 1;
        let mut cells: Vec<char> = (0..len).map(|i| if i % self.width == 0 { '|' } else { ' ' }).collect();
        if self.hosts.is_empty() {
            return String::new();
        }
        let stroke = if matches!(line.start.event, Event::SignalSent { .. }) { '~' } else { '-' };
        match (self.column(line.from), self.column(line.to)) {
            (from, _) if matches!(line.start.event, Event::Note { .. }) => {
                if let Some(from) = from {
                    cells[from] = '#';
                }
            }
            (Some(from), Some(to)) if from != to => arrow(&mut cells, from, to, stroke, line.fate),
            (Some(from), Some(_)) => cells[from] = '@',
            (Some(from), None) => {
                // To nobody in the chart: half a lane, to the side where there is room.
                let half = self.width / 2;
                let end = if from + half < len { from + half } else { from.saturating_sub(half) };
                arrow(&mut cells, from, end, stroke, line.fate);
            }
            (None, Some(to)) => cells[to] = if matches!(line.fate, Fate::Arrived(_)) { '*' } else { 'x' },
            (None, None) => {}
        }
        cells.into_iter().collect()
    }
}

/// Draws from one cell to another, or half of it when the packet ended on the way. The two differ.
fn arrow(cells: &mut [char], from: usize, to: usize, stroke: char, fate: Fate) {
    let (head, end) = match fate {
        Fate::Dropped(..) | Fate::Refused(_) => ('x', from.midpoint(to)),
        _ => (if to > from { '>' } else { '<' }, to),
    };
    for cell in &mut cells[from.min(end)..=from.max(end)] {
        if *cell == ' ' {
            *cell = stroke;
        }
    }
    cells[from] = if stroke == '-' { 'o' } else { stroke };
    cells[end] = head;
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let lanes = Lanes::of(self, &lines);
        writeln!(f, "seed {}", self.net.seed())?;
        write!(f, "{:>10}  ", "ms")?;
        for &host in &lanes.hosts {
            let name: String = self.name(host).chars().take(lanes.width - 1).collect();
            let last = Some(&host) == lanes.hosts.last();
            write!(f, "{name:<width$}", width = if last { 0 } else { lanes.width })?;
        }
        writeln!(f)?;
        let head =
            if lines.len() > self.max_lines { self.max_lines - self.max_lines / 3 } else { lines.len() };
        let tail = lines.len() - (self.max_lines - head).min(lines.len() - head);
        for line in &lines[..head] {
            self.write_line(f, &lanes, line)?;
        }
        if tail > head {
            writeln!(f, "{:>10}  ({} lines left out)", "...", tail - head)?;
        }
        for line in &lines[tail..] {
            self.write_line(f, &lanes, line)?;
        }
        match self.net.trace().omitted() {
            0 => {}
            n => writeln!(f, "{:>10}  (the trace was full: {n} records left out)", "...")?,
        }
        match self.net.halted() {
            Some(halt) => writeln!(f, "halted: {halt}"),
            None => Ok(()),
        }
    }
}

impl Chart<'_> {
    fn write_line(&self, f: &mut fmt::Formatter<'_>, lanes: &Lanes, line: &Line<'_>) -> fmt::Result {
        let start = &line.start;
        write!(f, "{}  {}  ", Millis(line.time), lanes.draw(line))?;
        match start.event {
            Event::Note { .. } => return writeln!(f, "-- {}", summary::Text(start.bytes)),
            Event::SignalSent { .. } => write!(f, "{}", summary::Text(without_password(start.bytes)))?,
            _ => self.write_packet(f, lanes, line)?,
        }
        match line.fate {
            Fate::OnItsWay => writeln!(f, "  on its way"),
            Fate::Arrived(at) => writeln!(f, "  +{}", millis(at - line.time)),
            Fate::Refused(error) => writeln!(f, "  not sent: {error}"),
            Fate::Dropped(reason, place) => {
                write!(f, "  {reason} ")?;
                self.write_place(f, place)?;
                f.write_char('\n')
            }
        }
    }

    fn write_packet(&self, f: &mut fmt::Formatter<'_>, lanes: &Lanes, line: &Line<'_>) -> fmt::Result {
        let start = &line.start;
        if line.copy {
            f.write_str("(copy) ")?;
        }
        if matches!(start.event, Event::Injected { .. }) {
            f.write_str("(injected) ")?;
        }
        if let Event::Refused { .. } = start.event {
            return write!(f, "-> {}", start.destination);
        }
        write!(f, "{}  {}", Summary(start.bytes), start.source)?;
        if let Some(seen) = line.seen {
            write!(f, " ({seen})")?;
        }
        write!(f, " -> {}", start.destination)?;
        match line.to {
            Some(to) if lanes.column(line.to).is_none() => write!(f, " at {}", self.name(to)),
            _ => Ok(()),
        }
    }

    fn write_place(&self, f: &mut fmt::Formatter<'_>, place: Place) -> fmt::Result {
        let topology = self.net.topology();
        match place {
            Place::Host(id) => write!(f, "at {}", self.name(id)),
            Place::Router(id) => write!(f, "at {}", topology.router(id).map_or("?", |router| &router.name)),
            Place::Segment(id) => match topology.segment(id).and_then(|segment| segment.gateway) {
                None => f.write_str("on the Internet"),
                Some(id) => write!(f, "inside {}", topology.router(id).map_or("?", |router| &router.name)),
            },
        }
    }
}

/// A message of an ICE agent's credentials without the password, which is nobody's business.
fn without_password(message: &[u8]) -> &[u8] {
    match message.strip_prefix(b"credentials ") {
        Some(rest) => {
            let ufrag = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            &message[..message.len() - rest.len() + ufrag]
        }
        None => message,
    }
}

/// A point in time in milliseconds, right-aligned.
struct Millis(Time);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_nanos() / 1000;
        write!(f, "{:>6}.{:03}", micros / 1000, micros % 1000)
    }
}

/// A duration in milliseconds.
fn millis(duration: std::time::Duration) -> String {
    let micros = duration.as_micros();
    format!("{}.{:03}", micros / 1000, micros % 1000)
}
