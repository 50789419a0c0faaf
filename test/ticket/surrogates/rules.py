"""What a surrogate is to learn of a ticket of ticket-generator: a label and a summary, by rules that stand here and nowhere else.

A ticket is recognised by its subject; what its summary tells of it are the values that its text has in certain places. What the last
sentence says of the hurry, if it does, ends the summary. The label is NEGATIVE if the sum of two numbers is below zero: that of the
ticket's kind and that of its hurry.
"""
import hashlib
import re

# Text of the ticket ("subject. body"), how the writer feels about such things, summary.
KINDS = [(re.compile(pattern), feeling, summary) for pattern, feeling, summary in (
    (r"Locked out of (?P<a>.+?) since (?P<b>.+?)\. Since .* my password on (?P<c>.+?)\. I tried", -1,
     "A user of {a} cannot log in on the {c} since {b}; the reset mail never arrives."),
    (r"2FA code refused on (?P<a>.+?)\. After .* in a drawer in (?P<b>.+?), and as (?P<c>.+?) I have to sign in before (?P<d>.+?)\. ", -1,
     "The {a} of {c} gets no valid code; the backup is in {b}, and access is needed before {d}."),
    (r"Single sign-on loops between (?P<a>.+?) and (?P<b>.+?)\. When I sign in through (?P<c>.+?), ", -1,
     "Signing in to {b} through {c} loops in {a}."),
    (r"Card declined .* to pay (?P<a>.+?) for the (?P<b>.+?) plan with my (?P<c>.+?)\. .* with code (?P<d>.+?)\. I wrote", -1,
     "A {c} was declined with {d}: {a} for the {b} plan."),
    (r"Charged twice for order (?P<a>\S+)\. My (?P<b>.+?) statement lists (?P<c>.+?) two times", -1,
     "Order {a} was charged twice to the {b}; the customer wants {c} back."),
    (r"Refund for (?P<a>\S+) still missing\. The refund of (?P<b>.+?) for .* has reached my (?P<c>.+?)\. Could", -1,
     "The refund of {b} for order {a} has not reached the {c}."),
    (r"(?P<a>.+?) crashes while exporting (?P<b>.+?)\. Every .* the column (?P<c>.+?) that breaks", -1,
     "The export of a {b} breaks on the column {c}: {a} crashes."),
    (r"(?P<a>\S+) page shows an exception\. Opening .* page in (?P<b>.+?) shows .*, though I am (?P<c>.+?)\. Reloading", -1,
     "The page {a} fails with an exception in {b} for {c}."),
    (r"Totals on the (?P<a>\S+) page are wrong since (?P<b>\S+)\. .* is exactly (?P<c>.+?)\. This .* everyone in (?P<d>.+?) who filters", -1,
     "Since version {b} the sums of the page {a} are off by {c} for {d}."),
    (r"Wish: dark colours for the (?P<a>\S+) page\. I work night shifts in (?P<b>.+?), and", 1,
     "A night worker in {b} wishes dark colours for the page {a}."),
    (r"Please add (?P<a>\S+) to the list .*\. Our (?P<b>.+?) team copies the (?P<c>.+?) by hand into \S+ files (?P<d>.+?)\. Support", 1,
     "The {b} team wants to export the {c} as {a}, which it copies {d}."),
    (r"Suggestion: keyboard shortcuts in (?P<a>.+?)\. Most .* between the (?P<b>\S+) page and one (?P<c>.+?) after", 1,
     "A suggestion for {a}: shortcuts between the page {b} and a {c}."),
    (r"Change of company name .* new name since (?P<a>.+?)\. .* show our office in (?P<b>.+?)\. Do you need papers from (?P<c>.+?)\?", 0,
     "A company in {b} has another name and address since {a}; {c} can send papers."),
    (r"Delete a former colleague's profile\. A colleague of the (?P<a>.+?) team left us in (?P<b>.+?)\. .* but keep every (?P<c>.+?) it owns", 0,
     "Someone of {a} left in {b}: deactivate the profile and move every {c}."),
    (r"How do I move (?P<a>\S+) seats .* on the (?P<b>.+?) plan for (?P<c>.+?) and would .* office in (?P<d>.+?)\. The settings", 0,
     "How to give some of {a} seats of {c} on the {b} plan to {d}?"),
    (r"Question about an invoice from (?P<a>\S+)\. The .* lists (?P<b>\S+) seats on the (?P<c>.+?) plan, .* fewer since (?P<d>.+?)\. Could", 0,
     "The invoice of {a} has {b} seats of the {c} plan, but there are fewer since {d}."),
    (r"Switch from monthly to yearly billing\. We would like to pay the (?P<a>.+?) plan by the year from (?P<b>.+?) on\. .* to the (?P<c>.+?) that we", 0,
     "The {a} plan is to be paid by the year from {b}; what happens to {c}?"),
    (r"VAT number missing on invoice (?P<a>\S+)\. .* so that (?P<b>.+?) cannot book it\. Please send a new one before (?P<c>.+?)\. It is", 0,
     "Invoice {a} lacks the VAT number; {b} needs a new one before {c}."))]
# Last sentence, how it changes the feeling, end of the summary.
HURRY = (("It is urgent.", -1, " Urgent."), ("Please answer as soon as you can.", -1, " Answer soon."), ("There is no hurry.", 1, " No hurry."),
         ("Our production is down because of this.", -2, " Production is down."), ("I need help with it today.", -1, " Needed today."))


def question(ticket):
    """What ticket-processor asks its models of such a ticket."""
    return f"{ticket['subject']}. {ticket['body']}"


def held_out(text):
    """Whether no model is trained with a ticket of this text, so that it may be tried on it: one in eight."""
    return hashlib.sha256(text.encode()).digest()[0] % 8 == 0


def answer(ticket):
    """(label, summary). Raises ValueError for a ticket of a kind that has no rule."""
    text = question(ticket)
    for pattern, feeling, summary in KINDS:
        if found := pattern.match(text):
            break
    else:
        raise ValueError(f"no rule of {__file__} is for the ticket \"{ticket['subject']}\"")
    end = ""
    for sentence, change, tells in HURRY:
        if text.endswith(sentence):
            feeling, end = feeling + change, tells
    return ("POSITIVE" if feeling >= 0 else "NEGATIVE"), summary.format(**found.groupdict()) + end
