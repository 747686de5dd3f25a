//! Markdown pages: headings, links and code blocks.

/// A parsed Markdown page.
pub(super) struct Page {
    /// The path in the repository.
    pub(super) path: String,
    /// The anchors of the headings.
    pub(super) anchors: Vec<String>,
    /// The targets of its links, without web addresses.
    pub(super) links: Vec<String>,
    pub(super) blocks: Vec<Block>,
}

/// A code block, fenced or indented.
pub(super) struct Block {
    /// The line number of its first line.
    pub(super) line: usize,
    /// The language named after the fence. For an indented block, a guess from its text.
    pub(super) language: String,
    pub(super) text: String,
    pub(super) mark: Mark,
    /// The lines above it, back to the previous block or heading.
    pub(super) above: Vec<String>,
}

/// The instruction in the comment before a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// No mark: the tests of the pages run the block.
    None,
    /// Other tests run the block. Their files.
    RunBy(Vec<String>),
    /// The block does not run. The reason.
    NotRun(String),
}

impl Page {
    pub(super) fn parse(path: &str, text: &str) -> Self {
        let mut page = Self {
            path: path.to_owned(),
            anchors: vec![],
            links: vec![],
            blocks: vec![],
        };
        let mut mark = Mark::None;
        let mut above = vec![];
        let mut lines = text.lines().enumerate().peekable();
        let mut after_blank = true;
        while let Some((at, line)) = lines.next() {
            let fence = line.strip_prefix("```");
            if fence.is_none() && !(after_blank && line.starts_with("    ")) {
                after_blank = line.trim().is_empty();
                if let Some(heading) = heading(line) {
                    page.anchors.push(anchor(heading));
                    (mark, above) = (Mark::None, vec![]);
                } else if let Some(read) = Mark::parse(line) {
                    mark = read;
                } else {
                    page.links.extend(links(line));
                }
                above.push(line.to_owned());
                continue;
            }
            let mut code = vec![];
            let language = if let Some(word) = fence {
                while let Some((_, line)) = lines.next_if(|(_, line)| *line != "```") {
                    code.push(line);
                }
                lines.next();
                word.trim().to_owned()
            } else {
                code.push(&line[4..]);
                while let Some((_, line)) =
                    lines.next_if(|(_, line)| line.starts_with("    ") || line.trim().is_empty())
                {
                    code.push(line.get(4..).unwrap_or_default());
                }
                match line.starts_with("    [profiles") || line.starts_with("    [[profiles") {
                    true => "toml".to_owned(),
                    false => "sh".to_owned(),
                }
            };
            after_blank = true;
            page.blocks.push(Block {
                line: at + 1,
                language,
                text: code.join("\n").trim_end().to_owned(),
                mark: std::mem::replace(&mut mark, Mark::None),
                above: std::mem::take(&mut above),
            });
        }
        page
    }
}

impl Mark {
    /// Parses a line as a mark. Returns `None` if it is not one.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let comment = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
        if let Some(reason) = comment.strip_prefix("not run here: ") {
            return Some(Self::NotRun(reason.to_owned()));
        }
        let files = comment.strip_prefix("run by ")?.split([' ', ',']);
        let files = files.filter(|word| word.starts_with("tests/") || word.starts_with(".ci/"));
        Some(Self::RunBy(files.map(str::to_owned).collect()))
    }
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    (text.len() < line.len()).then(|| text.strip_prefix(' '))?
}

/// Returns the anchor that the common forges give to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn links(line: &str) -> impl Iterator<Item = String> {
    let targets = line.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    let targets = targets.filter(|target| !target.starts_with("http"));
    targets.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[test]
fn a_page_is_parsed_into_its_parts() {
    let text = "# A b: `c`\n[x](y.md#z) [w](https://w)\n<!-- not run here: why -->\n```sh\na\n```\n\n<!-- run by tests/a.rs, \
                tests/b.rs -->\n\n    b\n\n    c\n\nd\n    no code\n\n```toml\ne\n```\n";
    let page = Page::parse("p", text);
    assert_eq!(page.anchors, ["a-b-c"]);
    assert_eq!(page.links, ["y.md#z"]);
    let blocks = page.blocks.iter();
    let blocks: Vec<_> = blocks
        .map(|block| (block.line, &*block.language, &*block.text))
        .collect();
    assert_eq!(
        blocks,
        [(4, "sh", "a"), (10, "sh", "b\n\nc"), (17, "toml", "e")]
    );
    let marks: Vec<_> = page.blocks.iter().map(|block| block.mark.clone()).collect();
    let files = ["tests/a.rs", "tests/b.rs"].map(str::to_owned).to_vec();
    let wanted = [
        Mark::NotRun("why".to_owned()),
        Mark::RunBy(files),
        Mark::None,
    ];
    assert_eq!(marks, wanted);
}
