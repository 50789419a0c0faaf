#include "ticket/generator/templates.h"

namespace ticket {

const std::vector<Template>& templates() {
  static const std::vector<Template> table{
      {"login", "Locked out of {product} since {moment}",
       "Since {moment} the login page of {product} rejects my password on {device}. I tried the reset link "
       "{count} times, "
       "but the mail never arrives. Colleagues on {network} see the same page."},
      {"login", "2FA code refused on {device}",
       "After replacing my {device} the 2FA codes are refused with \"{message}\". The backup codes are in a "
       "drawer in "
       "{city}, and as {role} I have to sign in before {deadline}. Please tell me what to send you as proof "
       "of who I "
       "am."},
      {"login", "Single sign-on loops between {browser} and {product}",
       "When I sign in through {provider}, {browser} jumps back and forth between two pages and finally "
       "shows "
       "\"{message}\". Clearing cookies did not change anything; a private window on {network} behaves in "
       "just the same "
       "way."},
      {"payment", "Card declined although my bank approved it",
       "I tried to pay {amount} for the {plan} plan with my {card}. My bank shows the transaction as "
       "approved, your page "
       "says it was declined with code {code}. I wrote {channel} as well and do not dare to press the button "
       "again."},
      {"payment", "Charged twice for order {order}",
       "My {card} statement lists {amount} two times for order {order}, both on {weekday}. Only one invoice "
       "came by mail. "
       "Please refund the second charge and confirm it here so that I can close my books for {month}."},
      {"payment", "Refund for {order} still missing",
       "The refund of {amount} for order {order} was promised to me {channel} on {weekday} by someone from "
       "your team. "
       "{count} "
       "working days later nothing has reached my {card}. Could you look up where the money went?"},
      {"bug", "{product} crashes while exporting {document}",
       "Every export of a {document} with more than {count} rows ends with an error, \"{message}\", in "
       "version {version}. "
       "It is the column {field} that breaks it; the release before was fine. {browser} and {device} make no "
       "difference, and the log says "
       "{code}."},
      {"bug", "{page} page shows an exception",
       "Opening the {page} page in {browser} shows an exception text instead of my records, though I am "
       "{role}. Reloading helps "
       "{count} times "
       "out of ten. I have attached nothing because the page breaks before the screenshot tool can start."},
      {"bug", "Totals on the {page} page are wrong since {version}",
       "The sums at the bottom of the {page} page no longer match the rows above them; the difference is "
       "exactly "
       "{amount}. This problem began with version {version} on {weekday} and concerns everyone in "
       "{department} who filters by {field}."},
      {"feature", "Wish: dark colours for the {page} page",
       "I work night shifts in {city}, and the white {page} page is hard on the eyes. It would be a nice to "
       "have feature "
       "to switch the colours by time of day. My {device} does that {frequency} for every other program."},
      {"feature", "Please add {format} to the list of export formats",
       "Our {department} team copies the {document} by hand into {format} files {frequency}. Support for "
       "{format} in "
       "the export menu would save us about {count} hours each {month}; we would gladly test an early "
       "version."},
      {"feature", "Suggestion: keyboard shortcuts in {product}",
       "Most of my day in {product} is spent moving between the {page} page and one {document} after the "
       "other. Shortcuts "
       "for both would improve things a lot. Perhaps they could be set by {role}, in {language} as well."},
      {"account", "Change of company name and email address",
       "Our company has a new name since {weekday}. Please update the profile of our account: the email "
       "address ends in a "
       "new domain now, and the {document} should show our office in {city}. Do you need papers from "
       "{department}?"},
      {"account", "Delete a former colleague's profile",
       "A colleague of the {department} team left us in {month}. Please deactivate the profile but keep "
       "every {document} "
       "it owns, and move those to my account. I could not find this under settings in {browser}, though I "
       "am {role}."},
      {"account", "How do I move {count} seats between teams?",
       "We bought {count} seats on the {plan} plan for {department} and would like to give some of them to "
       "the office in "
       "{city}. The settings page in {product} shows the seats, but the button next to them stays grey. The "
       "help in {language} says nothing."},
      {"billing", "Question about an invoice from {month}",
       "The invoice for {month} lists {count} seats on the {plan} plan, but we have had fewer since "
       "{weekday}. Could you "
       "explain {channel} how the amount of {amount} came about and correct it, if it is wrong?"},
      {"billing", "Switch from monthly to yearly billing",
       "We would like to pay the {plan} plan by the year from {month} on. Please tell me what happens to the "
       "{amount} that "
       "we have paid already, and whether the {card} on file can stay for this."},
      {"billing", "VAT number missing on invoice {order}",
       "Invoice {order} over {amount} came without our VAT number, so that {department} cannot book it. "
       "Please send a new "
       "one before {deadline}. It is in our profile; those sent to {integration} have it as well."}};
  return table;
}

const std::map<std::string, std::vector<std::string>>& placeholder_values() {
  static const std::map<std::string, std::vector<std::string>> table{
      {"amount", {"12.50 EUR", "49 USD", "89.99 GBP", "240 EUR", "1,150 USD", "7,300 CHF"}},
      {"browser", {"Firefox", "Chrome", "Safari", "Edge"}},
      {"card", {"credit card", "debit card", "company card"}},
      {"channel", {"by mail", "in the chat", "on the phone", "through the form"}},
      {"city", {"Lisbon", "Łódź", "Nairobi", "Osaka", "Córdoba", "Tromsø", "Halifax"}},
      {"code", {"E-1042", "0x80070057", "HTTP 502", "PAY-17", "SIG-11"}},
      {"count", {"2", "3", "5", "8", "12", "40"}},
      {"deadline", {"noon", "tomorrow evening", "the end of the week", "the audit on Friday", "our launch"}},
      {"department", {"accounting", "support", "warehouse", "sales", "research", "legal"}},
      {"device", {"phone", "laptop", "tablet", "office computer"}},
      {"document", {"delivery note", "report", "price list", "time sheet", "contract"}},
      {"field", {"customer", "net weight", "due date", "cost centre", "region"}},
      {"format", {"Parquet", "OpenDocument", "XLSX", "YAML", "iCalendar"}},
      {"frequency", {"every morning", "twice a week", "at the end of each month", "all the time"}},
      {"integration", {"our accounting program", "the webhook", "the API", "the shop"}},
      {"language", {"English", "Polish", "Portuguese", "Japanese"}},
      {"message",
       {"token is out of date", "something went wrong", "no such session", "unexpected end of file"}},
      {"moment", {"this morning", "yesterday", "the last update", "Monday", "an hour ago"}},
      {"month", {"January", "March", "June", "September", "November"}},
      {"network", {"the office network", "the VPN", "the guest network", "a mobile connection"}},
      {"order", {"A-2207", "B-0415", "C-8890", "D-3131", "K-0007"}},
      {"page", {"dashboard", "overview", "orders", "reports", "inventory"}},
      {"plan", {"starter", "team", "business", "enterprise"}},
      {"product", {"the portal", "the desktop client", "the mobile app", "the planner"}},
      {"provider", {"our identity provider", "our directory", "the company portal"}},
      {"role", {"an administrator", "the owner", "a team lead", "an ordinary user"}},
      {"version", {"3.9.2", "4.0", "4.1.7", "2026.11"}},
      {"weekday", {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}}};
  return table;
}

}  // namespace ticket
