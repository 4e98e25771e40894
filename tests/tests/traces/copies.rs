//! Files of which both programs have a copy, because no crate that both know may know what they need.

use std::fs;

use crate::project;

#[test]
fn copies_stay_the_same() {
    for name in ["json", "process", "spans", "stderr"] {
        let text = |side: &str| fs::read_to_string(project(&format!("{side}/src/telemetry/{name}.rs"))).unwrap();
        assert!(text("edge-agent") == text("control-plane"), "telemetry/{name}.rs differs: change both alike");
    }
}
