#!/usr/bin/env python3
"""An independent calculator of tickets, written from the sentences of DESIGN.md ("The arithmetic of a ticket")
in decimal numbers. It knows nothing of the Rust code. It reads tickets as JSON lines from the file named by its
argument and prints, for each, every figure it comes to. It keeps its own memory of what each receipt said and of
what came back of it; nothing that the other side computed is read.
"""

import json
import sys
from decimal import ROUND_HALF_UP, Decimal, getcontext

getcontext().prec = 80

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)


def whole(number):
    """Rounds to a whole number of minor units, halves away from zero (which is what ROUND_HALF_UP does)."""
    return number.quantize(ONE, rounding=ROUND_HALF_UP)


def share_out(total, amounts):
    """Spreads a total over amounts in proportion to their size by largest remainder, ties to the lower line."""
    sizes = [abs(amount) for amount in amounts]
    together = sum(sizes, ZERO)
    if together == 0:
        return [total] + [ZERO] * (len(sizes) - 1) if sizes else []
    sign = -ONE if total < 0 else ONE
    shares, remainders = [], []
    for size in sizes:
        shares.append(abs(total) * size // together)
        remainders.append(abs(total) * size % together)
    missing = int(abs(total) - sum(shares, ZERO))
    by_remainder = sorted(range(len(sizes)), key=lambda index: (-remainders[index], index))
    for index in by_remainder[:missing]:
        shares[index] += 1
    return [sign * share for share in shares]


def discount_on(amount, discount, minor):
    """A percentage of the amount, rounded, or an amount; in the direction of what it is taken from."""
    if discount is None:
        return ZERO
    if "percent" in discount:
        return whole(amount * Decimal(discount["percent"]) / HUNDRED)
    off = Decimal(discount["amount"]) * minor
    return -off if amount < 0 else off


def tax_on(amount, percent, mode):
    """Inclusive: amount - amount / (1 + rate). Exclusive: amount x rate. Rounded once."""
    rate = percent / HUNDRED
    if mode == "inclusive":
        return whole(amount - amount / (1 + rate))
    return whole(amount * rate)


class Receipts:
    """What each line of each receipt came to, and what was given back of it."""

    def __init__(self):
        self.lines = {}

    def remember(self, ticket, line):
        self.lines[ticket, line["no"]] = {
            "quantity": line["quantity"],
            "net": line["net"],
            "tax": line["tax"],
            "back": ZERO,
            "back_net": ZERO,
            "back_tax": ZERO,
        }

    def give_back(self, name, quantity):
        """For k of n units the cumulative share, less what was already given back."""
        sold = self.lines[name]
        sold["back"] += quantity
        net = whole(sold["net"] * sold["back"] / sold["quantity"]) - sold["back_net"]
        tax = whole(sold["tax"] * sold["back"] / sold["quantity"]) - sold["back_tax"]
        sold["back_net"] += net
        sold["back_tax"] += tax
        return net, tax


def count_lines(ticket, receipts, minor):
    lines = []
    for given in ticket["lines"]:
        line = {"no": given["no"], "quantity": Decimal(given["quantity"]), "percent": Decimal(given["tax_percent"])}
        line["back"] = given["gives_back"] is not None
        if line["back"]:
            of = given["gives_back"]
            net, tax = receipts.give_back((of["ticket"], of["line"]), -line["quantity"])
            line.update(gross=-net, discount=ZERO, share=ZERO, net=-net, tax=-tax)
        else:
            gross = whole(Decimal(given["unit_price"]) * line["quantity"] * minor)
            discount = discount_on(gross, given["discount"], minor)
            line.update(gross=gross, discount=discount, share=ZERO, net=gross - discount, tax=ZERO)
        lines.append(line)
    priced = [line for line in lines if not line["back"]]
    off = discount_on(sum((line["net"] for line in priced), ZERO), ticket["discount"], minor)
    for line, share in zip(priced, share_out(off, [line["net"] for line in priced])):
        line["share"] = share
        line["net"] -= share
    return lines


def count_taxes(ticket, lines):
    taxes = []
    for percent in sorted({line["percent"] for line in lines}):
        of_rate = [line for line in lines if line["percent"] == percent]
        priced = [line for line in of_rate if not line["back"]]
        nets = [line["net"] for line in priced]
        if ticket["tax_basis"] == "per_line":
            shares = [tax_on(net, percent, ticket["tax_mode"]) for net in nets]
        else:
            # One tax per rate; the lines carry it as they carry a ticket discount, so that the parts sum to it.
            shares = share_out(tax_on(sum(nets, ZERO), percent, ticket["tax_mode"]), nets)
        for line, share in zip(priced, shares):
            line["tax"] = share
        base = sum((line["net"] for line in of_rate), ZERO)
        taxes.append((percent, base, sum((line["tax"] for line in of_rate), ZERO)))
    return taxes


def pay(ticket, total, minor):
    """Cash rounding is a line of its own at the tender: what cash has to cover goes to a multiple of the step."""
    cash = [Decimal(t["amount"]) * minor for t in ticket["tenders"] if t["kind"] == "cash"]
    other = [Decimal(t["amount"]) * minor for t in ticket["tenders"] if t["kind"] != "cash"]
    rounding = ZERO
    if cash and ticket["cash_step"] > 1:
        step = Decimal(ticket["cash_step"])
        in_cash = total - sum(other, ZERO)
        rounding = whole(in_cash / step) * step - in_cash
    change = sum(cash, ZERO) + sum(other, ZERO) - total - rounding
    return rounding, total + rounding, change


def figures_of(ticket, receipts):
    digits = ticket["minor_digits"]
    minor = Decimal(10) ** digits
    lines = count_lines(ticket, receipts, minor)
    taxes = count_taxes(ticket, lines)
    net = sum((line["net"] for line in lines), ZERO)
    tax = sum((line["tax"] for line in lines), ZERO)
    total = net + tax if ticket["tax_mode"] == "exclusive" else net
    rounding, paid, change = pay(ticket, total, minor)
    figures = {
        "gross": sum((line["gross"] for line in lines), ZERO),
        "discounts": sum((line["discount"] + line["share"] for line in lines), ZERO),
        "net": net,
        "tax": tax,
        "total": total,
        "rounding": rounding,
        "paid": paid,
        "change": change,
    }
    for line in lines:
        for name in ("gross", "discount", "share", "net", "tax"):
            figures[f"line {line['no']} {name}"] = line[name]
        if not line["back"] and line["quantity"] > 0:
            receipts.remember(ticket["id"], line)
    for percent, base, rate_tax in taxes:
        figures[f"rate {percent.normalize():f} base"] = base
        figures[f"rate {percent.normalize():f} tax"] = rate_tax
    # Adding zero turns a negative zero into zero.
    return {name: f"{value / minor + ZERO:.{digits}f}" for name, value in figures.items()}


def main():
    receipts = Receipts()
    with open(sys.argv[1], encoding="utf-8") as tickets:
        for line in tickets:
            ticket = json.loads(line)
            print(json.dumps({"id": ticket["id"], "figures": figures_of(ticket, receipts)}))


if __name__ == "__main__":
    main()
