"""Approves a device's login as a person does in a browser: approve.py URL LOGIN. Opens the page, and submits each form that comes,
with the login where one is asked for."""
import html.parser
import http.cookiejar
import sys
import urllib.parse
import urllib.request

url, login = sys.argv[1:]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


class Form(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.action, self.fields = None, {}

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = attributes.get("action", "")
        elif tag in ("input", "button") and attributes.get("name"):
            if attributes["name"] != "abort":
                self.fields[attributes["name"]] = attributes.get("value", "")


for _ in range(10):
    with browser.open(url) if isinstance(url, str) else url as page:
        address, form = page.url, Form()
        form.feed(page.read().decode())
    if form.action is None:
        break
    for name, value in (("login", login), ("password", "any")):
        if name in form.fields:
            form.fields[name] = value
    url = browser.open(urllib.parse.urljoin(address, form.action), urllib.parse.urlencode(form.fields).encode())
else:
    sys.exit("the issuer's pages do not end")
