//! Mail that is kept: what is in it, how much of it; and what head office may be told about a server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use protocol::timestamp::Timestamp;
use uuid::Uuid;

use super::{MailConfig, MailError, MailSetupError, Outbox, Outgoing, kept};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn mail(number: u128, to: &str) -> Outgoing {
    let (text, html) = ("Grüße: 5 € off".to_owned(), "<p>Grüße</p>".to_owned());
    Outgoing { id: Uuid::from_u128(number), to: to.to_owned(), subject: "Grüße".to_owned(), text, html }
}

#[tokio::test]
async fn kept_mail_is_a_whole_mail_for_our_eyes_only() {
    let state = tempfile::tempdir().unwrap();
    let config = MailConfig { from: Some("Bakers HQ <hq@bakers.example>".to_owned()), ..MailConfig::default() };
    let outbox = Outbox::open(&config, state.path()).unwrap();
    outbox.send(&mail(7, "ann@example.com"), NOW).await.unwrap();
    let folder = outbox.folder().unwrap();
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    for line in [
        "From: \"Bakers HQ\" <hq@bakers.example>",
        "To: ann@example.com",
        "Message-ID: <00000000-0000-0000-0000-000000000007@bakers.example>",
        "Date: Mon, 21 Sep 2026 14:13:20 +0000",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} is not in {text}");
    }
    assert!(text.contains("text/plain") && text.contains("text/html"), "{text}");
    assert_eq!(outbox.captured(), [mail(7, "ann@example.com")]);
}

#[tokio::test]
async fn as_much_is_kept_as_is_said() {
    let state = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&MailConfig::default(), state.path()).unwrap();
    let most = u128::try_from(kept::MOST).unwrap();
    for number in 0..most + 5 {
        outbox.send(&mail(number, "ann@example.com"), NOW.plus_millis(i64::try_from(number).unwrap())).await.unwrap();
    }
    let files = std::fs::read_dir(outbox.folder().unwrap()).unwrap().count();
    let captured = outbox.captured();
    assert_eq!((files, captured.len()), (kept::MOST, kept::MOST));
    assert_eq!(captured[0].id, Uuid::from_u128(5), "the oldest went first");
}

#[tokio::test]
async fn what_is_no_address_is_never_tried_and_nothing_slips_into_the_head() {
    let outbox = Outbox::in_memory();
    for address in ["", "ann", "ann@", "ann@example.com\r\nBcc: eve@example.com", "a@b, c@d"] {
        let sent = outbox.send(&mail(1, address), NOW).await;
        assert!(matches!(sent, Err(MailError::Never(_))), "{address:?}: {sent:?}");
    }
    let state = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&MailConfig::default(), state.path()).unwrap();
    let subject = "Hello\r\nBcc: eve@example.com".to_owned();
    outbox.send(&Outgoing { subject, ..mail(1, "ann@example.com") }, NOW).await.unwrap();
    let file = std::fs::read_dir(outbox.folder().unwrap()).unwrap().next().unwrap().unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
}

#[test]
fn a_mailer_that_outlives_its_runtime_ends_quietly() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = MailConfig { smtp_url: Some("smtp://mail.example.com".to_owned()), ..MailConfig::default() };
    let outbox = runtime.block_on(async { Outbox::open(&config, Path::new("/nowhere")) }).unwrap();
    drop(runtime);
    drop(outbox);
}

// The library wants a runtime around what it pools.
#[tokio::test]
async fn a_server_is_told_so_that_a_password_is_never_shown_or_sent_in_the_open() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    let open = |url: &str, password_file: Option<&Path>| {
        let config = MailConfig {
            smtp_url: Some(url.to_owned()),
            password_file: password_file.map(Path::to_owned),
            ..MailConfig::default()
        };
        Outbox::open(&config, folder.path()).map(drop)
    };
    for good in ["smtp://mail.example.com", "smtps://mail.example.com:465", "smtp://localhost:25", "smtp://[::1]:25"] {
        open(good, None).unwrap();
    }
    open("smtp://hq%40example.com@mail.example.com:587", Some(&password)).unwrap();
    for bad in [
        "smtp://hq:secret@mail.example.com",
        "smtp://mail.example.com?tls=none",
        "smtp://mail.example.com?tls=opportunistic",
        "http://mail.example.com",
        "mail.example.com:25",
        "smtp://hq@mail.example.com",
    ] {
        let refused = open(bad, None);
        assert!(matches!(refused, Err(MailSetupError::Url(_))), "{bad}: {refused:?}");
        assert!(!refused.unwrap_err().to_string().contains("secret"), "{bad}");
    }
    assert!(open("smtp://mail.example.com", Some(&password)).is_err(), "a password without a user");
    assert!(open("smtp://hq@mail.example.com", Some(Path::new("/nowhere/at/all"))).is_err());
    let config = MailConfig { from: Some("no address".to_owned()), ..MailConfig::default() };
    assert!(matches!(Outbox::open(&config, folder.path()), Err(MailSetupError::From(_))));
}
