//! What a client calls itself, in words that a person knows it by. Pure; believes nothing.

/// `Firefox on Linux`, or the beginning of what it said.
pub fn agent_name(agent: &str) -> String {
    let has = |word: &str| agent.contains(word);
    let browsers =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let browser = browsers.iter().find(|(mark, _)| has(mark)).map(|(_, name)| *name);
    let system = systems.iter().find(|(mark, _)| has(mark)).map(|(_, name)| *name);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) if agent.trim().is_empty() => "A program without a name".to_owned(),
        (None, _) => agent.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_and_the_rest_is_quoted() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";
        assert_eq!(agent_name(chrome), "Chrome on Linux");
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0";
        assert_eq!(agent_name(edge), "Edge on Windows");
        assert_eq!(agent_name("curl/7.88.1"), "curl/7.88.1");
        assert_eq!(agent_name(""), "A program without a name");
        assert_eq!(agent_name(&"x".repeat(999)).len(), 40);
    }
}
