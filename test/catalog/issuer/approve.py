"""Approves a login as a person does in a browser: approve.py URL LOGIN [UNTIL COOKIES]. Opens the page, and submits each form that
comes, with the login where one is asked for; with UNTIL only up to a page whose address begins so, which is printed, and whose cookies go to
the file COOKIES, one NAME=VALUE a line."""
import html.parser
import http.cookiejar
import sys
import urllib.error
import urllib.parse
import urllib.request

url, login = sys.argv[1:3]
until, cookies = sys.argv[3:] or (None, None)
jar = http.cookiejar.CookieJar()
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def opened(*request):
    """The page, also one that says what is wrong if it is the one that is waited for."""
    try:
        return browser.open(*request)
    except urllib.error.HTTPError as error:
        if until and error.url.startswith(until):
            return error
        raise


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
    with opened(url) if isinstance(url, str) else url as page:
        address, form = page.url, Form()
        text = page.read().decode()
        form.feed(text)
    if until and address.startswith(until):
        print(text)
        with open(cookies, "w") as file:
            file.writelines(f"{one.name}={one.value}\n" for one in jar if one.name.endswith("flox-session"))
        break
    if form.action is None:
        break
    for name, value in (("login", login), ("password", "any")):
        if name in form.fields:
            form.fields[name] = value
    url = opened(urllib.parse.urljoin(address, form.action), urllib.parse.urlencode(form.fields).encode())
else:
    sys.exit("the issuer's pages do not end")
