"""Draws figures as horizontal bars.

    bars.py TITLE UNIT <LINES >FILE.svg      a line: LABEL, a tab, the figure
"""

import sys
from xml.sax.saxutils import escape

LABEL, BAR, ROW, TOP = 250, 380, 26, 44  # pixels

title, unit = sys.argv[1:3]
rows = [(label, float(value)) for label, value in (line.rstrip("\n").split("\t") for line in sys.stdin)]
largest = max(value for _, value in rows)
width, height = LABEL + BAR + 110, TOP + ROW * len(rows) + 10
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
      f'font-family="sans-serif" font-size="13" role="img" aria-label="{escape(title)}">')
print(f'<rect width="{width}" height="{height}" fill="#fff"/>')
print(f'<text x="10" y="24" font-size="15" font-weight="bold" fill="#222">{escape(title)}</text>')
for i, (label, value) in enumerate(rows):
    y, length = TOP + i * ROW, max(1, BAR * value / largest)
    fill = "#9aa5b1" if label.startswith("Python") else "#2f6fb3"
    print(f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end" fill="#222">{escape(label)}</text>')
    print(f'<rect x="{LABEL}" y="{y + 2}" width="{length:.1f}" height="{ROW - 8}" fill="{fill}"/>')
    print(f'<text x="{LABEL + length + 6:.1f}" y="{y + 15}" fill="#222">{value:.2f} {escape(unit)}</text>')
print("</svg>")
