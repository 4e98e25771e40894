//! Every limit of the wire, the disk and the counter, in one place. A number that bounds anything stands
//! here with its reason; code elsewhere names it.

/// Lines on one ticket. The largest receipt of the reference data has 675; a stock-sized basket fits thrice.
pub const TICKET_LINES: usize = 2_000;
/// Tenders on one ticket.
pub const TICKET_TENDERS: usize = 50;
/// Distinct tax rates on one ticket.
pub const TICKET_TAX_RATES: usize = 32;
/// Open tickets of one shop (parked ones included).
pub const OPEN_TICKETS: usize = 1_000;
/// Largest absolute amount in minor units: ten thousand million million. Sums of a year of a large
/// franchise fit with five digits to spare in an `i64`.
pub const AMOUNT_MINOR: i64 = 10_000_000_000_000_000;
/// Largest absolute amount of one ticket or line in minor units (a thousand million million less than the sum limit).
pub const TICKET_AMOUNT_MINOR: i64 = 1_000_000_000_000;
/// Largest unit price in ten-thousandths of the major unit (ten million in the major unit).
pub const UNIT_PRICE_E4: i64 = 100_000_000_000;
/// Largest absolute quantity in thousandths (a million pieces; the reference data has one of 74,215).
pub const QUANTITY_MILLI: i64 = 1_000_000_000;
/// Largest tax rate in millionths (1,000 %).
pub const TAX_RATE_PPM: u32 = 10_000_000;
/// Product code, in bytes of UTF-8. Codes are case-sensitive.
pub const CODE_BYTES: usize = 64;
/// Text a person typed or a catalogue carries for one product, in bytes.
pub const DESCRIPTION_BYTES: usize = 512;
/// A reason, reference or note, in bytes.
pub const NOTE_BYTES: usize = 512;
/// Idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES: usize = 128;

/// Body of one event, in bytes. A 2,000-line ticket stays under it.
pub const EVENT_BYTES: usize = 1 << 20;
/// Events of one uplink batch.
pub const BATCH_EVENTS: usize = 512;
/// Bytes of one uplink batch before compression. One event larger than this travels alone.
pub const BATCH_BYTES: usize = 256 << 10;
/// Body of one frame: one event of the largest size with its headers.
pub const FRAME_BYTES: usize = EVENT_BYTES + (64 << 10);
/// Chunk that a TCP link sends before it looks for something more urgent.
pub const TCP_CHUNK_BYTES: usize = 16 << 10;
/// Acknowledged ranges a cursor may hold before HQ refuses to open another gap.
pub const CURSOR_RANGES: usize = 1_024;
/// Batches on the way and not yet acknowledged, per stream.
pub const BATCHES_IN_FLIGHT: usize = 8;

/// Segment of a log on disk.
pub const SEGMENT_BYTES: u64 = 8 << 20;

/// Products of one catalogue.
pub const PRODUCTS: usize = 200_000;
/// Body of an ordinary HTTP request.
pub const HTTP_BODY_BYTES: usize = 1 << 20;
/// Body of a catalogue import.
pub const IMPORT_BODY_BYTES: usize = 32 << 20;
/// Lanes that may be paired with one node.
pub const LANES: usize = 64;
