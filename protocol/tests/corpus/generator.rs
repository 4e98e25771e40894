//! Makes tickets from a seed: every mix of tax, discount, quantity, tender and return that the arithmetic knows,
//! with prices that like to fall on halves and ties. Owns no rule of the arithmetic; it asks the crate for totals
//! only to choose tenders that settle them.

use protocol::id::TicketId;
use protocol::money::{Amount, Currency};
use protocol::price::UnitPrice;
use protocol::quantity::Quantity;
use protocol::tax::{Percent, TaxBasis, TaxMode, TaxRate};
use protocol::ticket::{
    ARITHMETIC, Discount, GivenBack, Line, Original, Pricing, Settlement, Tender, TenderKind, Terms, TicketKind,
    Totals, due, fold, settle,
};

/// A made ticket and what the crate makes of it.
pub struct Made {
    pub id: u64,
    pub terms: Terms,
    pub kind: TicketKind,
    pub lines: Vec<Line>,
    /// For each line the receipt and line that it gives back.
    pub gives_back: Vec<Option<(u64, u16)>>,
    pub discount: Option<Discount>,
    pub tenders: Vec<Tender>,
    pub totals: Totals,
    pub settlement: Settlement,
}

/// SplitMix64: small, and the same on every machine for ever.
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both possible.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1).unsigned_abs()) as i64
    }

    fn percent(&mut self, chance: i64) -> bool {
        self.between(1, 100) <= chance
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len() as i64 - 1) as usize]
    }
}

struct Sold {
    made: usize,
    back: Vec<GivenBack>,
}

pub struct Maker {
    dice: Dice,
    made: Vec<Made>,
    /// Receipts that something may still come back of.
    open: Vec<Sold>,
}

fn amount(minor: i64) -> Amount {
    Amount::from_minor(minor).unwrap()
}

/// `count` tickets, always the same for a seed.
pub fn make(seed: u64, count: usize) -> Vec<Made> {
    let mut maker = Maker { dice: Dice::new(seed), made: Vec::with_capacity(count), open: Vec::new() };
    while maker.made.len() < count {
        maker.one();
    }
    maker.made
}

impl Maker {
    fn one(&mut self) {
        let id = self.made.len() as u64;
        let roll = self.dice.between(1, 100);
        let mut terms = self.terms();
        let (mut lines, mut gives_back) = (Vec::new(), Vec::new());
        let mut kind = TicketKind::Sale;
        if roll <= 30 && !self.open.is_empty() {
            // Goods of one receipt come back, in an exchange beside new goods or on a return.
            kind = if self.dice.percent(30) { TicketKind::Sale } else { TicketKind::Return };
            terms = self.bring_back(&mut lines, &mut gives_back);
            if kind == TicketKind::Sale || self.dice.percent(10) {
                self.price_lines(&terms, kind, &mut lines);
            }
        } else {
            if roll > 85 {
                kind = TicketKind::Return;
            }
            self.price_lines(&terms, kind, &mut lines);
        }
        gives_back.resize(lines.len(), None);
        let discount = self.ticket_discount(&terms, kind, &lines);
        let totals = fold(&terms, kind, &lines, discount).unwrap();
        let tenders = self.tenders(&terms, totals.total);
        let settlement = settle(&terms, totals.total, &tenders).unwrap();
        self.remember(id, &terms, kind, &lines, &gives_back, &totals);
        self.made.push(Made { id, terms, kind, lines, gives_back, discount, tenders, totals, settlement });
    }

    fn terms(&mut self) -> Terms {
        let (code, steps): (&str, &[u16]) = match self.dice.between(1, 10) {
            1 => ("JPY", &[0, 10]),
            2 => ("KWD", &[0, 5, 50]),
            3 => ("KHR", &[0, 10_000]),
            4..=6 => ("CHF", &[5, 5, 10, 100]),
            _ => ("GBP", &[0, 1]),
        };
        Terms {
            arithmetic: ARITHMETIC,
            currency: code.parse::<Currency>().unwrap(),
            tax_mode: self.dice.pick(&[TaxMode::Inclusive, TaxMode::Exclusive]),
            tax_basis: self.dice.pick(&[TaxBasis::PerReceipt, TaxBasis::PerLine]),
            cash_step: self.dice.pick(steps),
        }
    }

    fn price_lines(&mut self, terms: &Terms, kind: TicketKind, lines: &mut Vec<Line>) {
        let count = match self.dice.between(1, 1_000) {
            1 => 675,
            2..=30 => self.dice.between(20, 80),
            31..=300 => 1,
            _ => self.dice.between(2, 9),
        };
        // A ticket of equal lines is where ties are.
        let twin = self.dice.percent(15).then(|| self.line(terms, kind));
        let rates = [0, 50_000, 55_000, 70_000, 88_750, 100_000, 175_000, 190_000, 200_000, 210_000, 1_000_000];
        let few = [self.dice.pick(&rates), self.dice.pick(&rates), self.dice.pick(&rates)];
        for _ in 0..count {
            let mut line = twin.clone().unwrap_or_else(|| self.line(terms, kind));
            line.line_no = lines.last().map_or(0, |line| line.line_no) + self.dice.pick(&[1, 1, 1, 2]);
            line.tax_rate = TaxRate::from_ppm(self.dice.pick(&few)).unwrap();
            lines.push(line);
        }
    }

    fn line(&mut self, terms: &Terms, kind: TicketKind) -> Line {
        let milli = match self.dice.between(1, 10) {
            1..=6 => self.dice.between(1, 12) * 1_000,
            7..=8 => self.dice.between(1, 5_000),
            9 => self.dice.pick(&[250, 500, 750, 1_250, 1_500, 3]),
            _ => self.dice.between(100, 20_000) * 1_000,
        };
        let e4 = match self.dice.between(1, 10) {
            1..=5 => self.dice.between(1, 5_000) * 100,
            6..=7 => self.dice.between(1, 200_000),
            8 => self.dice.pick(&[50, 150, 250, 500, 1_250, 5, 1]),
            9 => self.dice.pick(&[0, 9_900, 10_000, 29_500, 10_000_000]),
            _ => self.dice.between(1, 10_000_000),
        };
        let sign = if kind == TicketKind::Return { -1 } else { 1 };
        let quantity = Quantity::from_milli(sign * milli).unwrap();
        let unit_price = UnitPrice::from_e4(e4).unwrap();
        let gross = unit_price.extend(quantity, terms.currency).unwrap();
        Line {
            line_no: 1,
            code: Some("X".into()),
            description: "made".into(),
            quantity,
            unit_price,
            pricing: Pricing::Book,
            discount: if self.dice.percent(35) { Some(self.discount(gross)) } else { None },
            tax_rate: TaxRate::ZERO,
            original: None,
        }
    }

    fn discount(&mut self, of: Amount) -> Discount {
        if self.dice.percent(60) {
            let random = self.dice.between(0, 1_000_000);
            let ppm = self.dice.pick(&[100_000, 125_000, 333_333, 500_000, 1_000_000, 1, 0, random, random]);
            return Discount::Percent(Percent::from_ppm(u32::try_from(ppm).unwrap()).unwrap());
        }
        let all = of.abs().minor();
        let some = self.dice.between(0, all);
        Discount::Amount(amount(self.dice.pick(&[some, some, some, all, 0])))
    }

    fn ticket_discount(&mut self, terms: &Terms, kind: TicketKind, lines: &[Line]) -> Option<Discount> {
        let priced: Vec<Line> = lines.iter().filter(|line| line.original.is_none()).cloned().collect();
        if priced.is_empty() || !self.dice.percent(30) {
            return None;
        }
        let base = fold(terms, kind, &priced, None).unwrap().net;
        Some(self.discount(base))
    }

    /// Takes lines of one open receipt back: all that is left of them, or a part.
    fn bring_back(&mut self, lines: &mut Vec<Line>, gives_back: &mut Vec<Option<(u64, u16)>>) -> Terms {
        let chosen = usize::try_from(self.dice.between(0, self.open.len() as i64 - 1)).unwrap();
        let sold = &self.open[chosen];
        let receipt = &self.made[sold.made];
        let terms = receipt.terms;
        for (index, line) in receipt.lines.iter().enumerate() {
            let left = line.quantity.milli() - sold.back[index].quantity().milli();
            if line.original.is_some() || left <= 0 || (self.dice.percent(50) && !lines.is_empty()) {
                continue;
            }
            let unit = if line.quantity.milli() % 1_000 == 0 { 1_000 } else { 1 };
            let some = self.dice.between(1, left / unit) * unit;
            let back = if self.dice.percent(40) { left } else { some };
            let totals = &receipt.totals.lines[index];
            let original =
                Original::of_receipt(name(receipt.id), (&terms, line, totals), &terms, &sold.back[index]).unwrap();
            gives_back.push(Some((receipt.id, line.line_no)));
            lines.push(Line {
                line_no: u16::try_from(lines.len()).unwrap() + 1,
                quantity: Quantity::from_milli(-back).unwrap(),
                discount: None,
                original: Some(original),
                ..line.clone()
            });
        }
        terms
    }

    fn remember(
        &mut self,
        id: u64,
        terms: &Terms,
        kind: TicketKind,
        lines: &[Line],
        gives_back: &[Option<(u64, u16)>],
        totals: &Totals,
    ) {
        for (index, of) in gives_back.iter().enumerate() {
            let Some((receipt, line_no)) = of else { continue };
            let sold = self.open.iter_mut().find(|sold| sold.made as u64 == *receipt).unwrap();
            let at = self.made[sold.made].lines.iter().position(|line| line.line_no == *line_no).unwrap();
            sold.back[at].add(terms, lines[index].quantity, &totals.lines[index]).unwrap();
        }
        let made = &self.made;
        self.open.retain(|sold| {
            let lines = made[sold.made].lines.iter().zip(&sold.back);
            lines.into_iter().any(|(line, back)| line.original.is_none() && back.quantity() < line.quantity)
        });
        // Few receipts at a time, so that many of them come back in several parts.
        if kind == TicketKind::Sale && lines.iter().any(|line| line.original.is_none()) && self.dice.percent(30) {
            let sold = Sold { made: usize::try_from(id).unwrap(), back: vec![GivenBack::default(); lines.len()] };
            self.open.push(sold);
            if self.open.len() > 40 {
                self.open.remove(0);
            }
        }
    }

    /// Tenders that settle `total`: one or several, exact or with change, cash rounded.
    fn tenders(&mut self, terms: &Terms, total: Amount) -> Vec<Tender> {
        let mut tenders = Vec::new();
        if total == Amount::ZERO {
            return tenders;
        }
        let tender = |kind, amount| Tender { kind, amount, reference: None };
        let whole = total.minor();
        if self.dice.percent(35) && whole.abs() > 2 {
            let part = whole.signum() * self.dice.between(1, whole.abs() - 1);
            tenders.push(tender(TenderKind::CardRecorded, amount(part)));
        }
        let left = due(terms, total, &tenders).unwrap();
        if self.dice.percent(30) {
            tenders.push(tender(TenderKind::CardRecorded, left.exact));
            return tenders;
        }
        let note = 10_i64.pow(u32::try_from(self.dice.between(1, 4)).unwrap());
        let over = if whole > 0 && self.dice.percent(50) { self.dice.between(0, 20) * note } else { 0 };
        let cash = left.in_cash.minor() + over;
        if self.dice.percent(15) && cash > 1 && over == 0 {
            let first = self.dice.between(1, cash - 1);
            tenders.push(tender(TenderKind::Cash, amount(first)));
            tenders.push(tender(TenderKind::Cash, amount(cash - first)));
        } else {
            tenders.push(tender(TenderKind::Cash, amount(cash)));
        }
        tenders
    }
}

fn name(id: u64) -> TicketId {
    format!("00000000-0000-4000-8000-{id:012x}").parse().unwrap()
}
