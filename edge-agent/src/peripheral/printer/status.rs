//! What the four answers of an ESC/POS printer come to for a job: may it go on, and if not, what is to be done. The
//! bytes themselves are read in `receipt::escpos::status`.

use crate::core::print_queue::Why;
use crate::receipt::escpos::status::{Ask, ErrorCause, OfflineCause, PaperStatus, PrinterStatus};

/// How a printer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::peripheral) struct Health {
    /// What keeps it from printing.
    pub(in crate::peripheral) hindered: Option<Why>,
    /// The paper nears its end.
    pub(in crate::peripheral) nearly_out: bool,
}

/// All questions at once: a printer answers them in order, at any time, also when it is offline.
pub(super) fn questions() -> Vec<u8> {
    Ask::ALL.iter().flat_map(|ask| ask.request()).collect()
}

/// Judges the four answers, in the order of the questions; none when a byte is not an answer.
pub(super) const fn judge([printer, offline, error, paper]: [u8; 4]) -> Option<Health> {
    let (Some(printer), Some(offline), Some(error), Some(paper)) =
        (PrinterStatus::of(printer), OfflineCause::of(offline), ErrorCause::of(error), PaperStatus::of(paper))
    else {
        return None;
    };
    // What a person can mend comes before what it leads to.
    let hindered = if offline.cover_open {
        Some(Why::CoverOpen)
    } else if paper.end || offline.paper_stop {
        Some(Why::PaperOut)
    } else if error.cutter || error.unrecoverable || error.passing || offline.error {
        Some(Why::Fault)
    } else if printer.offline {
        Some(Why::Offline)
    } else {
        None
    };
    Some(Health { hindered, nearly_out: paper.near_end })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: u8 = 0x12;

    fn hindered(answers: [u8; 4]) -> Option<Why> {
        judge(answers).unwrap().hindered
    }

    #[test]
    fn what_a_person_can_mend_is_named_first() {
        let well = Health { hindered: None, nearly_out: false };
        assert_eq!(judge([IDLE; 4]), Some(well));
        assert_eq!(judge([IDLE | 0x04, IDLE, IDLE, IDLE]), Some(well), "a drawer that is open hinders nothing");
        assert_eq!(judge([IDLE, IDLE, IDLE, 0x1E]), Some(Health { hindered: None, nearly_out: true }));
        assert_eq!(hindered([IDLE | 0x08, IDLE | 0x20, IDLE, 0x7E]), Some(Why::PaperOut));
        assert_eq!(hindered([IDLE | 0x08, IDLE | 0x24, IDLE, 0x7E]), Some(Why::CoverOpen));
        assert_eq!(hindered([IDLE | 0x08, IDLE | 0x40, IDLE | 0x08, IDLE]), Some(Why::Fault));
        assert_eq!(hindered([IDLE | 0x08, IDLE, IDLE, IDLE]), Some(Why::Offline));
        assert_eq!(judge([0, IDLE, IDLE, IDLE]), None);
    }
}
