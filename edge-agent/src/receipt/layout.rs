//! Where everything stands on a receipt: pure, from content to rows. Long texts wrap; an amount is never broken, never
//! cut, and always ends at the right. Knows no printer's language.

use protocol::money::{Amount, Currency, decimal_text};
use protocol::quantity::Quantity;
use protocol::tax::TaxRate;
use protocol::ticket::{Discount, TenderKind, TicketKind};

use super::content::{ContentLine, ContentTax, ReceiptContent, Times};
use super::rows::{Align, Paper, QrRow, Receipt, Row, Style, TextRow};
use super::text::{printable, wrap};

const PLAIN: Style = Style { bold: false, tall: false, wide: false };
const BOLD: Style = Style { bold: true, tall: false, wide: false };
const TALL: Style = Style { bold: true, tall: true, wide: false };
const LARGE: Style = Style { bold: true, tall: true, wide: true };
/// What stands under an article is set in by so much.
const INDENT: &str = "  ";
/// A name beside its amount has at least this much room; otherwise the amount gets a line of its own.
const NAME_COLUMNS: usize = 10;

/// Lays a receipt out for a paper.
pub fn lay_out(content: &ReceiptContent, paper: &Paper) -> Receipt {
    let rates = content.taxes.iter().map(|tax| tax.rate).collect();
    let mut sheet = Sheet::new(*paper, content.currency, rates);
    if content.copy {
        sheet.centre("* COPY *", LARGE);
        sheet.rows.push(Row::Feed(1));
    }
    sheet.head(content);
    sheet.rule();
    for line in &content.lines {
        sheet.line(line);
    }
    sheet.rule();
    sheet.totals(content);
    sheet.payment(content);
    sheet.taxes(&content.taxes);
    sheet.position(content);
    if content.copy {
        sheet.rows.push(Row::Feed(1));
        sheet.centre("* COPY *", LARGE);
    }
    Receipt { paper: *paper, rows: sheet.rows, unprintable: sheet.unprintable }
}

/// The paper while it is being filled.
struct Sheet {
    paper: Paper,
    columns: usize,
    currency: Currency,
    /// With several rates every amount of a line names its rate by a letter, and other amounts leave its place free.
    rates: Vec<TaxRate>,
    rows: Vec<Row>,
    unprintable: u32,
}

impl Sheet {
    fn new(paper: Paper, currency: Currency, rates: Vec<TaxRate>) -> Self {
        // Below any paper there is, amounts would have no room.
        let columns = usize::from(paper.columns).max(24);
        Self { paper, columns, currency, rates, rows: Vec::new(), unprintable: 0 }
    }

    fn head(&mut self, content: &ReceiptContent) {
        let name = self.clean(&content.shop);
        let wide = wrap(&name, self.columns / 2);
        // A long name reads better on one line than large on three.
        self.centre(&name, if wide.len() <= 2 { LARGE } else { TALL });
        for line in &content.shop_lines {
            self.centre(line, PLAIN);
        }
        self.rows.push(Row::Feed(1));
        let kind = match content.kind {
            TicketKind::Sale => "SALE",
            TicketKind::Return => "RETURN",
        };
        let Times { at, entered_at, business_date, utc } = &content.times;
        let zone = if *utc { " UTC" } else { "" };
        let lane = self.clean(&format!("Lane {}", content.lane));
        self.pair(kind, &format!("{}{zone}", at.strftime("%Y-%m-%d %H:%M")), BOLD);
        self.pair(&format!("Trading day {business_date}"), &lane, PLAIN);
        if let Some(cashier) = &content.cashier {
            let cashier = self.clean(cashier);
            self.pair("Cashier", &cashier, PLAIN);
        }
        if let Some(entered) = entered_at {
            self.pair("LATE ENTRY", &format!("written {}{zone}", entered.strftime("%Y-%m-%d %H:%M")), BOLD);
        }
        if let Some(reference) = &content.reference {
            let reference = self.clean(reference);
            self.pair("Reference", &reference, PLAIN);
        }
    }

    fn line(&mut self, line: &ContentLine) {
        let name = self.clean(&line.description);
        let amount = format!("{}{}", self.money(line.gross), self.rate_mark(Some(line.rate)));
        let count = match line.unit_price {
            _ if line.quantity == Quantity::ONE => None,
            Some(price) => Some(format!("{} x {price}", line.quantity)),
            None => Some(format!("{} returned", line.quantity.negated())),
        };
        match count {
            None => self.pair(&name, &amount, PLAIN),
            Some(count) => {
                self.left("", &name, PLAIN);
                self.pair(&format!("{INDENT}{count}"), &amount, PLAIN);
            }
        }
        if let Some((discount, off)) = line.discount {
            let label = format!("{INDENT}{}", discount_label(discount));
            self.amount(&label, off.negated(), PLAIN);
        }
    }

    fn totals(&mut self, content: &ReceiptContent) {
        if content.discount.is_some() || content.tax_on_top.is_some() {
            self.amount("Subtotal", content.subtotal, PLAIN);
        }
        if let Some((discount, off)) = content.discount {
            self.amount(&discount_label(discount), off.negated(), PLAIN);
        }
        if let Some(tax) = content.tax_on_top {
            self.amount("Tax", tax, PLAIN);
        }
        self.largest("TOTAL", content.total);
        self.rows.push(Row::Feed(1));
    }

    fn payment(&mut self, content: &ReceiptContent) {
        let settlement = content.settlement;
        if settlement.rounding != Amount::ZERO {
            self.amount("Cash rounding", settlement.rounding, PLAIN);
            self.amount("To pay", settlement.paid, BOLD);
        }
        for tender in &content.tenders {
            let kind = match tender.kind {
                TenderKind::Cash => "Cash",
                TenderKind::CardRecorded => "Card",
            };
            let reference = tender.reference.as_ref().map(|text| self.clean(&format!(" {text}"))).unwrap_or_default();
            self.amount(&format!("{kind}{reference}"), tender.amount, PLAIN);
        }
        if settlement.change != Amount::ZERO {
            self.amount("Change", settlement.change, BOLD);
        }
    }

    fn taxes(&mut self, taxes: &[ContentTax]) {
        if taxes.is_empty() {
            return;
        }
        self.rule();
        let cell = |amount| decimal_text(Amount::minor(amount), self.currency.exponent());
        let row = |tax: &ContentTax| {
            let mark = self.rate_mark(Some(tax.rate));
            let rate = format!("{}% {}", tax.rate.percent(), mark.trim()).trim_end().to_owned();
            [rate, cell(tax.net), cell(tax.tax), cell(tax.gross)]
        };
        let head = ["Rate", "Net", "Tax", "Gross"].map(str::to_owned);
        let table: Vec<[String; 4]> = std::iter::once(head).chain(taxes.iter().map(row)).collect();
        let width = |n: usize| table.iter().filter_map(|row| row.get(n)).map(String::len).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        if widths.iter().sum::<usize>() + 3 <= self.columns {
            self.tax_table(&table, widths);
        } else {
            self.tax_list(&table);
        }
    }

    /// All columns end where their amounts end, and share what room there is.
    fn tax_table(&mut self, table: &[[String; 4]], [rate, net, tax, gross]: [usize; 4]) {
        let free = self.columns.saturating_sub(rate + net + tax + gross);
        let (second, third) = (free / 3 + net, free / 3 + tax);
        let last = self.columns.saturating_sub(rate + second + third);
        for (index, [a, b, c, d]) in table.iter().enumerate() {
            let style = if index == 0 { BOLD } else { PLAIN };
            self.put(format!("{a:<rate$}{b:>second$}{c:>third$}{d:>last$}"), Align::Left, style);
        }
    }

    /// Where amounts are too long to stand side by side.
    fn tax_list(&mut self, table: &[[String; 4]]) {
        let Some(([_, net, tax, gross], rows)) = table.split_first() else { return };
        for [rate, of_net, of_tax, of_gross] in rows {
            self.left("", &format!("Tax {rate}"), PLAIN);
            for (label, amount) in [(net, of_net), (tax, of_tax), (gross, of_gross)] {
                self.pair(&format!("{INDENT}{label}"), amount, PLAIN);
            }
        }
    }

    fn position(&mut self, content: &ReceiptContent) {
        let position = content.position;
        self.rows.push(Row::Feed(1));
        self.rows.push(Row::Qr(QrRow { text: position.to_string() }));
        self.rows.push(Row::Feed(1));
        let hash = position.hash.to_string();
        let groups: Vec<&str> = [0, 4, 8, 12].iter().filter_map(|at| hash.get(*at..at + 4)).collect();
        self.centre(&format!("Receipt {}/{}", position.term, position.seq), BOLD);
        self.centre(&groups.join(" "), PLAIN);
        // On narrow paper the node breaks where a person would break it.
        let node = position.node.to_string();
        let (first, second) = node.split_at_checked(19).unwrap_or((&node, ""));
        if node.len() <= self.columns {
            self.centre(&node, PLAIN);
        } else {
            self.centre(first, PLAIN);
            self.centre(second, PLAIN);
        }
    }

    fn clean(&mut self, text: &str) -> String {
        let (text, lost) = printable(self.paper.code_page, text);
        self.unprintable = self.unprintable.saturating_add(lost);
        text
    }

    fn money(&self, amount: Amount) -> String {
        decimal_text(amount.minor(), self.currency.exponent())
    }

    /// The letter of a rate; as much room without one; nothing where there is one rate only.
    fn rate_mark(&self, rate: Option<TaxRate>) -> String {
        if self.rates.len() < 2 {
            return String::new();
        }
        let place = rate.and_then(|rate| self.rates.iter().position(|known| *known == rate));
        let letter = place.and_then(|place| ('A'..='Z').chain('0'..='9').nth(place)).unwrap_or(' ');
        format!(" {letter}")
    }

    fn put(&mut self, text: String, align: Align, style: Style) {
        self.rows.push(Row::Text(TextRow { text, align, style }));
    }

    fn rule(&mut self) {
        self.put("-".repeat(self.columns), Align::Left, PLAIN);
    }

    fn room(&self, style: Style) -> usize {
        if style.wide { self.columns / 2 } else { self.columns }
    }

    fn centre(&mut self, text: &str, style: Style) {
        let text = self.clean(text);
        for line in wrap(&text, self.room(style)) {
            self.put(line, Align::Centre, style);
        }
    }

    fn left(&mut self, indent: &str, text: &str, style: Style) {
        for line in wrap(text, self.room(style).saturating_sub(indent.len())) {
            self.put(format!("{indent}{line}"), Align::Left, style);
        }
    }

    fn amount(&mut self, label: &str, amount: Amount, style: Style) {
        let amount = format!("{}{}", self.money(amount), self.rate_mark(None));
        self.pair(label, &amount, style);
    }

    /// The total, as large as it fits, with its currency.
    fn largest(&mut self, label: &str, amount: Amount) {
        let label = format!("{label} {}", self.currency.code());
        let amount = self.money(amount);
        // A wide character is as wide as the mark of a rate, so that the points stand under each other.
        let mark = if self.rates.len() < 2 { "" } else { " " };
        let fits = label.len() + 1 + amount.len() + mark.len() <= self.columns / 2;
        let (style, mark) = if fits { (LARGE, mark.to_owned()) } else { (TALL, self.rate_mark(None)) };
        self.pair(&label, &format!("{amount}{mark}"), style);
    }

    /// A text at the left and one at the right, which stays whole as long as it fits the paper at all. The left one
    /// wraps above it; what it is set in by, its further lines are set in by, too.
    fn pair(&mut self, left: &str, right: &str, style: Style) {
        let room = self.room(style);
        let body = left.trim_start();
        let indent = " ".repeat(left.chars().count().saturating_sub(body.chars().count()));
        let right_columns = right.chars().count();
        if right_columns > room {
            self.left(&indent, body, style);
            return self.left(INDENT, right, style);
        }
        let beside = room.saturating_sub(right_columns + 2).max(1);
        let lines = if left.chars().count() + 1 + right_columns <= room {
            vec![body.to_owned()]
        } else if beside >= NAME_COLUMNS.min(left.chars().count()) {
            wrap(body, beside.saturating_sub(indent.len()))
        } else {
            [wrap(body, room.saturating_sub(indent.len())), vec![String::new()]].concat()
        };
        let last = lines.len().saturating_sub(1);
        for (index, line) in lines.into_iter().enumerate() {
            let start = format!("{indent}{line}");
            if index < last {
                self.put(start, Align::Left, style);
                continue;
            }
            let gap = room.saturating_sub(start.chars().count());
            self.put(format!("{start}{right:>gap$}"), Align::Left, style);
        }
    }
}

fn discount_label(discount: Discount) -> String {
    match discount {
        Discount::Percent(percent) => format!("Discount {percent}%"),
        Discount::Amount(_) => "Discount".to_owned(),
    }
}
