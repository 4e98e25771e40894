//! What is sealed opens where it belongs and nowhere else; the file of the keys is made once and kept private.

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;
use crate::db::testing::TestDb;
use crate::secret_file::SecretFileError;

proptest! {
    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_place_alone(
        plain in prop::collection::vec(any::<u8>(), 0..200),
        place in prop::collection::vec(any::<u8>(), 0..40),
        other in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let sealer = Sealer::throwaway();
        let sealed = sealer.seal("mfa.totp", &place, &plain);
        let opened = sealer.open("mfa.totp", &place, &sealed);
        prop_assert_eq!(opened.as_deref(), Some(plain.as_slice()));
        prop_assert!(sealer.open("sso.client", &place, &sealed).is_none());
        prop_assert_eq!(sealer.open("mfa.totp", &other, &sealed).is_some(), other == place);
        prop_assert!(Sealer::throwaway().open("mfa.totp", &place, &sealed).is_none());
        prop_assert!(plain.len() < 4 || !sealed.windows(plain.len()).any(|window| window == plain));
        prop_assert_ne!(sealer.seal("mfa.totp", &place, &plain), sealed);
    }

    #[test]
    fn what_is_damaged_anywhere_is_nothing(at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<prop::sample::Index>()) {
        let sealer = Sealer::throwaway();
        let sealed = sealer.seal("mfa.totp", b"row", b"a secret of some length");
        let mut bent = sealed.clone();
        bent[at.index(sealed.len())] ^= 1 << bit;
        prop_assert!(sealer.open("mfa.totp", b"row", &bent).is_none());
        prop_assert!(sealer.open("mfa.totp", b"row", &sealed[..cut.index(sealed.len())]).is_none());
        prop_assert!(sealer.open("mfa.totp", b"row", &[sealed.as_slice(), &[0]].concat()).is_none());
    }

    #[test]
    fn any_bytes_are_nothing_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(Sealer::throwaway().open("mfa.totp", b"row", &bytes).is_none());
    }
}

#[test]
fn purpose_and_place_do_not_run_into_each_other() {
    assert_ne!(place("ab", b"c"), place("a", b"bc"));
}

#[test]
fn the_file_is_made_once_private_and_read_again() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("new");
    let path = folder.join(FILE);
    let made = Sealer::of_state(&folder).unwrap();
    let sealed = made.seal("mfa.totp", b"row", b"plain");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    for again in [Sealer::of_state(&folder).unwrap(), Sealer::of_file(&path).unwrap()] {
        assert_eq!(again.open("mfa.totp", b"row", &sealed).as_deref(), Some(b"plain".as_slice()));
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no draft stays");
    let key = text.lines().last().unwrap();
    assert!(!format!("{made:?} {:?}", made.open("mfa.totp", b"row", &sealed)).contains(key));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Sealer::of_state(&folder), Err(SealError::File(SecretFileError::Exposed { .. }))));
}

#[test]
fn two_who_start_at_once_have_the_same_key() {
    let state = tempfile::tempdir().unwrap();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| Sealer::of_state(state.path()).unwrap().key_id())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn the_newest_key_seals_and_all_of_them_open() {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().join(FILE);
    let before = Sealer::of_state(state.path()).unwrap();
    let sealed = before.seal("mfa.totp", b"row", b"plain");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n{}\n", "5a".repeat(32))).unwrap();
    let after = Sealer::of_state(state.path()).unwrap();
    assert!(after.knows(&before.key_id()) && !before.knows(&after.key_id()));
    assert!(after.is_old(&sealed) && !before.is_old(&sealed));
    assert_eq!(after.open("mfa.totp", b"row", &sealed).as_deref(), Some(b"plain".as_slice()));
    assert!(before.open("mfa.totp", b"row", &after.seal("mfa.totp", b"row", b"plain")).is_none());
}

#[test]
fn a_file_that_is_no_key_file_is_named_with_its_line() {
    let state = tempfile::tempdir().unwrap();
    let path = state.path().join("given.key");
    assert!(matches!(Sealer::of_file(&path), Err(SealError::Missing { .. })));
    for (text, bad) in [("# only words\n", 1), ("# a\n\n12ab\n", 3), (&format!("{}\nzz\n", "00".repeat(32)), 2)] {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let refused = Sealer::of_file(&path).unwrap_err();
        assert!(matches!(&refused, SealError::Damaged { line, .. } if *line == bad), "{text:?}: {refused}");
    }
}

#[tokio::test]
async fn a_head_office_with_a_key_of_its_own_does_not_start_on_another_one_s_database() {
    let test = TestDb::new().await;
    let state = tempfile::tempdir().unwrap();
    let first = Sealer::of_state(state.path()).unwrap();
    for _ in 0..2 {
        first.settle(&test.db, Timestamp(1)).await.unwrap();
    }
    let refused = Sealer::throwaway().settle(&test.db, Timestamp(2)).await.unwrap_err();
    assert!(matches!(&refused, SealError::Foreign { known } if *known == first.key_id()), "{refused}");
    assert!(refused.to_string().contains("--secrets-key"));
    // A new key beside the old one takes over; then a head office without it is the foreign one.
    let path = state.path().join(FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{}\n", "5a".repeat(32))).unwrap();
    let both = Sealer::of_state(state.path()).unwrap();
    both.settle(&test.db, Timestamp(3)).await.unwrap();
    assert!(first.settle(&test.db, Timestamp(4)).await.is_err());
    both.settle(&test.db, Timestamp(5)).await.unwrap();
}
