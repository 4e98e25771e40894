//! What an ESC/POS printer says of itself: the four answers to DLE EOT and the one to GS r. Bytes in, words out.

use crate::core::print_queue::Why;

/// Asks for the four real-time states at once. A printer answers them in order, at any time, also when it is offline.
pub(super) const ASK_STATUS: [u8; 12] = [0x10, 0x04, 0x01, 0x10, 0x04, 0x02, 0x10, 0x04, 0x03, 0x10, 0x04, 0x04];
/// Asks for the paper state in the order of the job: the answer says that everything before it was worked through.
pub(super) const ASK_PROOF: [u8; 3] = [0x1D, 0x72, 0x01];

/// Whether a byte can be an answer to DLE EOT (bits 1 and 4 set, 0 and 7 clear).
pub(super) const fn is_status(byte: u8) -> bool {
    byte & 0x93 == 0x12
}

/// Whether a byte can be an answer to GS r (bits 4 and 7 clear).
pub(super) const fn is_proof(byte: u8) -> bool {
    byte & 0x90 == 0
}

/// How a printer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::peripheral) struct Health {
    /// What keeps it from printing.
    pub(in crate::peripheral) hindered: Option<Why>,
    /// The paper nears its end.
    pub(in crate::peripheral) nearly_out: bool,
}

/// Reads the four answers to [`ASK_STATUS`]: printer, offline cause, error cause, paper.
pub(super) const fn read([printer, offline, error, paper]: [u8; 4]) -> Health {
    // What a person can mend comes before what it leads to.
    let hindered = if offline & 0x04 != 0 {
        Some(Why::CoverOpen)
    } else if paper & 0x60 != 0 || offline & 0x20 != 0 {
        Some(Why::PaperOut)
    } else if error & 0x68 != 0 || offline & 0x40 != 0 {
        Some(Why::Fault)
    } else if printer & 0x08 != 0 {
        Some(Why::Offline)
    } else {
        None
    };
    Health { hindered, nearly_out: paper & 0x0C != 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDLE: u8 = 0x12;

    #[test]
    fn the_answers_of_the_manuals_are_read() {
        let well = Health { hindered: None, nearly_out: false };
        assert_eq!(read([IDLE; 4]), well);
        assert_eq!(read([IDLE | 0x04, IDLE, IDLE, IDLE]), well, "a drawer that is open hinders nothing");
        assert_eq!(read([IDLE, IDLE, IDLE, 0x1E]), Health { hindered: None, nearly_out: true });
        assert_eq!(read([IDLE | 0x08, IDLE | 0x20, IDLE, 0x7E]).hindered, Some(Why::PaperOut));
        assert_eq!(read([IDLE | 0x08, IDLE | 0x04, IDLE, IDLE]).hindered, Some(Why::CoverOpen));
        assert_eq!(read([IDLE | 0x08, IDLE | 0x40, IDLE | 0x08, IDLE]).hindered, Some(Why::Fault));
        assert_eq!(read([IDLE | 0x08, IDLE, IDLE, IDLE]).hindered, Some(Why::Offline));
    }

    proptest! {
        #[test]
        fn no_byte_is_both_a_state_and_a_proof(byte: u8) {
            prop_assert!(!(is_status(byte) && is_proof(byte)));
        }
    }
}
