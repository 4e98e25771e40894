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
/// Lines of a catalogue import: a whole catalogue at once.
pub const IMPORT_LINES: usize = PRODUCTS;
/// Barcodes of one product: every package size of a year's suppliers.
pub const PRODUCT_BARCODES: usize = 32;
/// Rows of one page of a list.
pub const PAGE_ROWS: u32 = 500;
/// Gaps that a completeness report lists one by one; the count is always exact.
pub const REPORTED_GAPS: usize = 100;
/// Events whose chain is caught up in one transaction after a gap closed; the rest follows with the next.
pub const CHAIN_CATCH_UP: usize = 4_096;
/// Lanes that may be paired with one node.
pub const LANES: usize = 64;

/// The code of a receipt as typed, in bytes. The longest has 87 characters; spaces come with typing.
pub const RECEIPT_REF_BYTES: usize = 128;
/// A claim code as typed, with every space and hyphen a person may add. The code itself has 59 characters.
pub const CLAIM_CODE_BYTES: usize = 256;
/// A certificate request in PEM. An Ed25519 one has some 300 bytes; RSA 4096 is not far over 1,600.
pub const CSR_BYTES: usize = 4_096;
/// LAN addresses that a node may report for its certificate: a box has a few interfaces, not dozens.
pub const NODE_ADDRESSES: usize = 16;
/// Name of a node, in bytes.
pub const NODE_NAME_BYTES: usize = 64;
/// Open claims of one shop: more than a rollout hands out at once, fewer than a leak could collect.
pub const OPEN_CLAIMS: i64 = 50;

/// Bytes of events that may wait for the ledger's writer. Four of the largest append_all; a lane beyond it waits.
pub const LEDGER_QUEUE_BYTES: usize = 16 << 20;
/// Bytes of events that nobody waits for and that are not yet durable. Apart from the queue of the waiting, so that a
/// flood of them cannot hold up a sale.
pub const LEDGER_LOOSE_BYTES: usize = 4 << 20;
/// What one event counts in those queues at least, so that empty events are bounded too.
pub const LEDGER_QUEUE_ITEM_BYTES: usize = 256;
/// Bytes of events that share one sync at most: what a slow card writes in about half a second.
pub const LEDGER_BATCH_BYTES: usize = 4 << 20;
/// Longest time an event that nobody waits for stays unsynced, in milliseconds.
pub const LEDGER_LOOSE_MILLIS: u64 = 500;
/// A reader of a segment finds an entry point every so many bytes: 512 entries a segment, 8 KiB of memory.
pub const LEDGER_INDEX_STRIDE: u64 = 16 << 10;
/// Old segments kept open for readers, per log.
pub const LEDGER_OPEN_SEGMENTS: usize = 4;
/// Files of cut tails kept for inspection; after that a cut is only counted.
pub const LEDGER_SET_ASIDE_FILES: usize = 256;

/// Body of a frame that carries no list worth mentioning (hello, close, offers).
pub const CONTROL_FRAME_BYTES: usize = 16 << 10;
/// Body of a frame with the ranges of a cursor: three streams of [`CURSOR_RANGES`] pairs of ten-byte varints.
pub const CURSOR_FRAME_BYTES: usize = 128 << 10;
/// One downlink transfer, packed or unpacked: 200,000 products of 300 bytes.
pub const TRANSFER_BYTES: usize = 64 << 20;
/// Data of one transfer chunk: no larger than what TCP sends at a stretch.
pub const TRANSFER_CHUNK_BYTES: usize = TCP_CHUNK_BYTES;
/// Bytes of a transfer a node asks for at once: 5 MB/s at 50 ms, and all that HQ queues for one node.
pub const TRANSFER_WINDOW_BYTES: usize = 256 << 10;
/// Streams, collections or versions one hello may name.
pub const HELLO_ITEMS: usize = 16;
/// Text of a close frame or an agent version, in bytes.
pub const WIRE_TEXT_BYTES: usize = 256;
/// Batches of one stream that wait at HQ for their commit; more are sent back with a time to wait.
/// Twice what an honest node has in flight, for those it sends again.
pub const BATCHES_WAITING: usize = 2 * BATCHES_IN_FLIGHT;
/// In-flight slots of a stream that the backlog leaves free, so that a live event never waits for one.
pub const LIVE_SLOTS: usize = 2;
/// Live events not yet sent beyond which all but the newest batch are sent as backlog.
pub const LIVE_LAG_EVENTS: u64 = 2_048;
/// First back-off ceiling of the uplink, in milliseconds.
pub const BACKOFF_BASE_MS: u64 = 1_000;
/// Largest back-off ceiling of the uplink, in milliseconds.
pub const BACKOFF_CAP_MS: u64 = 300_000;
/// A connection that lived this long (and had a batch acknowledged) forgives earlier failures, in milliseconds.
pub const STABLE_MS: u64 = 60_000;
/// From a dialled connection to its welcome, in milliseconds.
pub const HELLO_TIMEOUT_MS: u64 = 10_000;
/// A node that heard nothing for this long asks whether HQ is there, in milliseconds.
pub const PING_AFTER_MS: u64 = 20_000;
/// Silence after which either side gives the connection up, in milliseconds: three pings unanswered.
pub const SILENCE_MS: u64 = 60_000;
/// A batch without an answer for this long is sent again; doubles up to [`BACKOFF_CAP_MS`], in milliseconds.
pub const ACK_TIMEOUT_MS: u64 = 30_000;
/// A transfer without a chunk for this long is asked for again, in milliseconds.
pub const TRANSFER_STALL_MS: u64 = 15_000;
/// An offer without an answer for this long is made again, in milliseconds.
pub const OFFER_AGAIN_MS: u64 = 60_000;
/// A checkpoint is signed once the log has been still for this long, in milliseconds.
pub const CHECKPOINT_QUIET_MS: u64 = 2_000;
/// A checkpoint is signed at least this often while the log grows, in milliseconds.
pub const CHECKPOINT_BUSY_MS: u64 = 30_000;

/// How long an answer stands under its idempotency key, in milliseconds: seven days, a till that was off over a
/// holiday still gets its receipt.
pub const IDEMPOTENCY_MILLIS: i64 = 7 * 24 * 3_600 * 1_000;
/// Answers and ends of tickets that a node keeps ready at most; the oldest make room. A day of a large shop,
/// some 50 MB of disk; receipts do not need it, they stand in the fiscal log.
pub const IDEMPOTENCY_ANSWERS: usize = 50_000;
/// Largest answer kept byte for byte beside the one in a fiscal record: a ticket of 300 lines. Beyond it a repeated
/// request is shown the ticket as it stands.
pub const KEPT_ANSWER_BYTES: usize = 128 << 10;
/// Asks that wait for the lane actor: every lane with a few at once, and as many again from tools.
pub const DESK_ASKS: usize = 512;
/// Asks that wait for one ticket whose last change is being written.
pub const TICKET_ASKS: usize = 32;
/// Work log records after which what is still open is copied forward, so that a start reads no more than these.
pub const WORK_CARRY_EVENTS: u64 = 4_000;
/// Work log records that are kept, some 60 MB: the answers of about a day, should the index be lost.
pub const WORK_LOG_EVENTS: u64 = 60_000;
/// Connections to the terminal doors together; of one address a fraction, so that one broken terminal does not lock
/// the others out.
pub const TERMINAL_CONNECTIONS: usize = 512;
/// Connections of one address: every lane behind one router, each with a few.
pub const TERMINAL_PEER_CONNECTIONS: usize = 256;
/// Changes that a slow listener may lag behind before it is told to ask again.
pub const CHANGES_WAITING: usize = 256;
/// Products that one search shows at most.
pub const SEARCH_PRODUCTS: usize = 100;
/// Nodes on one page of a list.
pub const NODE_PAGE: u32 = 200;
/// Nodes (and logs of nodes) that a page about all shops of a tenant sums up; more are looked at shop by shop.
pub const STANDING_NODES: i64 = 5_000;
/// Shops times days in one answer of figures: a hundred shops over a month.
pub const SHOP_DAYS: i64 = 4_000;
/// Days of one range of figures on a page: a leap year.
pub const RANGE_DAYS: i32 = 366;
/// Imports whose reports are kept per tenant; what they changed stands in the revisions.
pub const IMPORTS_KEPT: i64 = 30;
/// Report of an import as CSV, before it is packed: beyond it the lines that were taken are left out.
pub const IMPORT_REPORT_BYTES: usize = 32 << 20;
/// Lines of an import's report that a page shows; the file has all of them.
pub const IMPORT_LINES_SHOWN: usize = 500;

/// Connections of nodes that one gateway serves.
pub const GATEWAY_CONNECTIONS: usize = 20_000;
/// Handshakes one gateway works on at once: they cost far more than a batch, and a cut brings all nodes back together.
pub const GATEWAY_HANDSHAKES: usize = 256;
/// Handshakes at work beyond which a caller must first prove its address.
pub const GATEWAY_HANDSHAKES_UNPROVEN: usize = 64;
/// A session reports that its node is alive this often, in milliseconds.
pub const SEEN_EVERY_MS: u64 = 60_000;
/// A session looks for newer collections this often even if no hint came, in milliseconds.
pub const DOWNLINK_CHECK_MS: u64 = 120_000;
/// How long a node waits after HQ could not commit, at least, in milliseconds; at most twice that.
pub const COMMIT_AGAIN_MS: u32 = 2_000;
/// How long a fiscal record stays on the node after head office has it, in milliseconds: ninety days, so that goods
/// come back against a receipt without the internet for as long as shops usually take them.
pub const FISCAL_RETENTION_MILLIS: i64 = 90 * 24 * 3_600 * 1_000;
/// Bytes of telemetry that wait for head office: a week of a chatty shop. The oldest goes first, and is counted.
pub const TELEMETRY_LOG_BYTES: u64 = 64 << 20;
/// HQ looks this often whether the nodes that are connected still may be, in milliseconds: with the look itself a
/// revocation acts within a second.
pub const STANDING_CHECK_MS: u64 = 500;
/// How long HQ waits for its database in one piece of work for a node, in milliseconds: twice what one statement may
/// take there.
pub const COMMIT_PATIENCE_MS: u64 = 60_000;
/// Connections to the MQTT doors together: four for each lane that may be paired.
pub const MQTT_CONNECTIONS: usize = 4 * LANES;
/// MQTT connections of one address: every lane behind one router, with two each.
pub const MQTT_PEER_CONNECTIONS: usize = 2 * LANES;
/// MQTT connections of one lane: its screen, a display, a tool, and one whose end was not noticed yet.
pub const MQTT_LANE_CONNECTIONS: usize = 4;
/// MQTT connections that have not said who they are: every lane at once after a cut.
pub const MQTT_STRANGERS: usize = LANES;
/// The same of one address, so that one that says nothing does not lock the others out.
pub const MQTT_PEER_STRANGERS: usize = MQTT_STRANGERS / 4;
/// From an MQTT connection to its CONNECT, TLS included, in milliseconds: a slow tablet needs one second.
pub const MQTT_CONNECT_MS: u64 = 5_000;
/// From the first byte of an MQTT packet to its last, in milliseconds: the largest over a bad radio.
pub const MQTT_PACKET_MS: u64 = 10_000;
/// How long an MQTT client, or the broker, may take nothing of what it is sent, in milliseconds.
pub const MQTT_WRITE_MS: u64 = 5_000;
/// Keep-alive that an MQTT 5 client is told at most, in seconds: a lane that lost its power is missed before the
/// next customer is served twice over. 3.1.1 cannot be told.
pub const MQTT_KEEP_ALIVE_SECONDS: u16 = 300;
/// How long a client of MQTT 3.1.1 that wanted no keep-alive may say nothing, in seconds: a day, some controllers
/// only listen. The system finds the ones whose power is gone.
pub const MQTT_SILENCE_SECONDS: u64 = 24 * 3_600;
/// One MQTT packet: the snapshot that answers a lane is the largest.
pub const MQTT_PACKET_BYTES: usize = 64 << 10;
/// Payload of a last will, and its properties.
pub const MQTT_WILL_BYTES: usize = 4 << 10;
/// Client id of MQTT: a lane's id, a dot and a name.
pub const MQTT_CLIENT_ID_BYTES: usize = 128;
/// Filters that one MQTT client may have: one for each channel and some single tickets.
pub const MQTT_FILTERS: usize = 64;
/// Messages of an MQTT client in a second over time: twenty times a busy till.
pub const MQTT_MESSAGES_PER_SECOND: u64 = 100;
/// Messages of an MQTT client at once: what it saved up while it was cut off.
pub const MQTT_MESSAGES_AT_ONCE: u64 = 400;
/// Bytes of an MQTT client in a second over time; all lanes together stay under what a shop's network carries.
pub const MQTT_BYTES_PER_SECOND: u64 = 128 << 10;
/// Bytes of an MQTT client at once: sixteen of the largest packets.
pub const MQTT_BYTES_AT_ONCE: u64 = 1 << 20;
/// Different filters that the broker is given in one life: it forgets none and keeps a log for each.
pub const MQTT_BROKER_FILTERS: usize = 1_024;
/// Different topics of tickets that the broker is given before it is replaced: it forgets none, at 250 bytes each.
pub const MQTT_BROKER_TOPICS: usize = 50_000;

/// Contradicting events that HQ keeps of one log; beyond it they are only counted, so that a forger fills no disk.
pub const FORKS_KEPT: i64 = 1_000;

/// An MQTT topic or filter, in bytes: five levels with two ids and the longest device name are under it.
pub const TOPIC_BYTES: usize = 160;
/// Name of a device in the node's configuration, in bytes: it stands in topics, metrics and messages.
pub const DEVICE_NAME_BYTES: usize = 64;

/// Spans that wait for the exporter of traces; those beyond are dropped and counted. A full batch of sales at head
/// office makes 1,536.
pub const SPANS_WAITING: usize = 4_096;
/// Spans of one export.
pub const SPANS_AT_ONCE: usize = 512;
/// Answer of a collector of traces, in bytes. It says nothing of use; a hostile one must not fill the memory.
pub const COLLECTOR_ANSWER_BYTES: usize = 64 << 10;
/// Sales on their way to head office whose trace is followed at once. Those beyond have no span of the uplink.
pub const TRACED_ON_THE_WAY: usize = 4_096;

/// Printers of one node: a counter each and a few in kitchens and stores.
pub const PRINTERS: usize = 16;
/// States of one device that are remembered: a bad day, not a history.
pub const DEVICE_TIMELINE: usize = 64;
/// Print jobs that wait for one printer: more than a lane closes before the first of them expires. Beyond it the
/// oldest makes room, and is counted.
pub const PRINT_JOBS_WAITING: usize = 128;
/// Finished print jobs that are kept to be shown: some hours of a counter. With those that wait on every printer they
/// fit one event.
pub const PRINT_JOBS_FINISHED: usize = 512;
/// Print jobs of one answer.
pub const PRINT_JOBS_LISTED: usize = 200;
/// A receipt that could not be printed for so long is not printed by surprise any more, in milliseconds: its customer
/// has left the shop.
pub const PRINT_EXPIRY_MILLIS: i64 = 10 * 60 * 1_000;
/// Fiscal records that a start looks back over for receipts to print: ten minutes of any shop.
pub const PRINT_CATCH_UP: u64 = 2_000;
/// First back-off ceiling towards a printer, in milliseconds: somebody stands before it.
pub const PRINTER_BACKOFF_BASE_MS: u64 = 500;
/// Largest back-off ceiling towards a printer, in milliseconds: one that was switched on prints within moments.
pub const PRINTER_BACKOFF_CAP_MS: u64 = 8_000;
/// Asks that wait for the print actor.
pub const PRINT_ASKS: usize = 64;
/// Body of an in-store MQTT message: some forty tickets of a snapshot, and little for a small terminal to hold.
pub const LANE_MESSAGE_BYTES: usize = 16 << 10;
/// What a part of a snapshot needs beside its list: ids, times and a request id in which every letter is escaped.
pub const LANE_REPLY_HEAD_BYTES: usize = 1 << 10;
/// The id a lane gives an ask, in bytes: a UUID with room for a name before it.
pub const LANE_REQUEST_ID_BYTES: usize = 64;
/// Product codes that a price message names; beyond it the lane looks up what it shows.
pub const LANE_PRICE_CODES: usize = 50;
/// Messages that wait for the in-store broker: every open ticket once, and as many changes again.
pub const LANE_MESSAGES_WAITING: usize = 2 * OPEN_TICKETS;
/// Snapshots a lane may ask for at once: two programs on it that both begin, each asking twice.
pub const LANE_ASKS_BURST: u32 = 4;
/// After the burst a lane gets one snapshot in so many milliseconds.
pub const LANE_ASK_EVERY_MS: u64 = 2_000;

/// Live streams to browsers at once, per process: each holds a connection and looks at the database every two seconds.
pub const LIVE_STREAMS: usize = 500;
/// Of those one tenant may have so many: a wall of screens at one company shuts no page at another.
pub const LIVE_STREAMS_OF_ONE: usize = 100;
/// Tickets that the live page lists: what a person overlooks; the rest is behind the search.
pub const LIVE_TICKETS: usize = 50;
/// Bytes of log lines that wait for whoever reads standard error: thousands of lines, and little for a small box to lose.
pub const LOG_BYTES_WAITING: usize = 1 << 20;
/// Warnings and errors that the page of a node shows: what went wrong today, on one screen.
pub const REMARKS: usize = 40;
/// Characters of one of them; the log has the whole.
pub const REMARK_CHARS: usize = 300;
/// A node reads all its records for damage this often, in milliseconds: once a day, ninety days of sales in minutes.
pub const SCRUB_EVERY_MS: u64 = 24 * 3_600 * 1_000;
/// Rest between two segments of that reading, in milliseconds: the disk belongs to the tills.
pub const SCRUB_PAUSE_MS: u64 = 250;

/// People who work at the lanes of one shop: a supermarket with all its students.
pub const STAFF_OF_SHOP: usize = 500;
/// Name of somebody, in bytes.
pub const STAFF_NAME_BYTES: usize = 120;
/// Digits of a PIN at least: what people remember.
pub const PIN_SHORTEST: usize = 4;
/// Digits of a PIN at most.
pub const PIN_LONGEST: usize = 8;
/// Memory of one check of a PIN, in KiB: with what belongs to it under 4 MiB of a small box.
pub const PIN_HASH_KIB: u32 = 4_000;
/// Checks of PINs that wait for the one under way: every manager of a shop at once; more are told to come again.
pub const PIN_CHECKS_WAITING: usize = 8;
/// Wrong PINs of one person, or on one lane, after which no more are tried for [`PIN_WINDOW_MILLIS`].
pub const PIN_WRONG: usize = 5;
/// How long a wrong PIN counts, in milliseconds: fifteen minutes.
pub const PIN_WINDOW_MILLIS: i64 = 15 * 60 * 1_000;
/// Approvals on one ticket: more is no ticket, it is a quarrel.
pub const TICKET_APPROVALS: usize = 64;
