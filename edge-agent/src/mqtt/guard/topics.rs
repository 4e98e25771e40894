//! Topics that a client may speak on, as lately worked out: a right follows from who it is and from the topic alone, so
//! it is worked out once and not for every message. Holds what was allowed; what was not ended the connection.

/// A lane has three topics of its own; the node says the same few of the open tickets again and again.
const REMEMBERED: usize = 8;

/// The last few topics of a connection; a new one takes the place of the one that came first.
#[derive(Debug, Default)]
pub(super) struct Topics {
    known: Vec<Known>,
    next: usize,
}

#[derive(Debug)]
struct Known {
    topic: Vec<u8>,
    retainable: bool,
}

impl Topics {
    /// Whether a message on this topic may be retained; `None` if the topic is not remembered.
    pub(super) fn find(&self, topic: &[u8]) -> Option<bool> {
        self.known.iter().find(|known| known.topic == topic).map(|known| known.retainable)
    }

    /// Remembers a topic that is allowed.
    pub(super) fn remember(&mut self, topic: &[u8], retainable: bool) {
        match self.known.get_mut(self.next) {
            Some(known) => {
                known.topic.clear();
                known.topic.extend_from_slice(topic);
                known.retainable = retainable;
            }
            None => self.known.push(Known { topic: topic.to_vec(), retainable }),
        }
        self.next = (self.next + 1) % REMEMBERED;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_remembered_and_no_more() {
        let mut topics = Topics::default();
        assert_eq!(topics.find(b"a"), None);
        for number in 0..100_u8 {
            topics.remember(&[number], number.is_multiple_of(2));
            assert_eq!(topics.find(&[number]), Some(number.is_multiple_of(2)));
            assert!(topics.known.len() <= REMEMBERED);
        }
        assert_eq!(topics.find(&[91]), None);
        assert_eq!((92..100).map(|number| topics.find(&[number]).is_some()).filter(|known| *known).count(), REMEMBERED);
    }
}
