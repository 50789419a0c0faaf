"""Texts of every kind for the tokenizers.

    tokenizer_corpus.py TICKETS FILE      writes a corpus, then as many fuzzed inputs; TICKETS are JSON lines

A text in FILE is its size (32 bits, little-endian) and its bytes. Everything is seeded: the same file each time.
"""
import json
import random
import struct
import sys
import unicodedata

CORPUS = 10_500
FUZZED = 10_500

SENTENCES = """
The quick brown fox can't jump over the lazy dog's 12,345.67 fences; they've tried, we'll see, I'd say it's "done".
Der Fußgängerüberweg in Köln wurde für 3,50 € äußerst gründlich geprüft – größtenteils ohne Änderung.
Où est passée l'œuvre naïve du garçon ? À Noël, ça coûtera très cher, paraît-il.
El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia; ¿añoraba a su querido cachorro? ¡Sí!
Příliš žluťoučký kůň úpěl ďábelské ódy. Zażółć gęślą jaźń. Árvíztűrő tükörfúrógép.
Ἄνδρα μοι ἔννεπε, μοῦσα, πολύτροπον. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.
Съешь же ещё этих мягких французских булок, да выпей чаю. Їжак, ґанок, ўсё.
Pijamalı hasta yağız şoföre çabucak güvendi. İSTANBUL IĞDIR ıssız.
Trăm năm trong cõi người ta, chữ tài chữ mệnh khéo là ghét nhau.
אני יכול לאכול זכוכית וזה לא מזיק לי. בְּרֵאשִׁית בָּרָא אֱלֹהִים
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. السَّلَامُ عَلَيْكُمْ ١٢٣
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। १२३४
আমি কাঁচ খেতে পারি, তাতে আমার কোনো ক্ষতি হয় না।
நான் கண்ணாடி சாப்பிடுவேன், அதனால் எனக்கு ஒரு கேடும் வராது.
నేను గాజు తినగలను అయినా నాకు ఏమీ కాదు. ನಾನು ಗಾಜನ್ನು ತಿನ್ನಬಲ್ಲೆ.
ഞാൻ ഗ്ലാസ് തിന്നും. මට වීදුරු කන්න හැකියි.
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน ๐๑๒
ຂ້ອຍກິນແກ້ວໄດ້ໂດຍທີ່ມັນບໍ່ໄດ້ເຮັດໃຫ້ຂ້ອຍເຈັບ. ကျွန်တော် မှန်စားနိုင်သည်။
ខ្ញុំអាចញុំកញ្ចក់បាន ដោយគ្មានបញ្ហា། ང་ཤེལ་ཟ་ཐུབ།
მე ვჭამ მინას და არა მტკივა. ՄԵՆՔ Կրնամ ապակի ուտել։ ᲒᲐᲛᲐᲠᲯᲝᲑᲐ
我能吞下玻璃而不伤身体。我無法登入，請幫忙重設密碼！订单号：２０２４－１１。
いろはにほへと ちりぬるを。ログインできません、パスワードを再設定してください。ｶﾀｶﾅ ﾊﾝｶｸ ガギグ
키스의 고유조건은 입술끼리 만나야 하고. 로그인이 안 돼요. 한글
ⲁⲛⲟⲕ ⲟⲩⲣⲱⲙⲉ. ᚠᛇᚻ᛫ᛒᛦᚦ ᚠᚱᚩᚠᚢᚱ. 𐌰𐍄𐍄𐌰 𐌿𐌽𐍃𐌰𐍂. 𓀀𓁐𓂀 𒀀𒁀 ᏣᎳᎩ ꮳꮃꭹ ⴰⵣⵓⵍ ᓄᓇᕗᑦ ꙮ 𐐀𐐨 Ꞷꞷ
ﬁnal ﬀ ﬃ ½ ¼ ² ³ № ™ © ® ℃ Ⅷ ⅷ ①②③ ㈱ ㍿ ㎏ ｆｕｌｌ ＷＩＤＴＨ １２３ ﷺ Ǆ ǆ ŉ ẞ ß ſ K Å Ω
""".strip().splitlines()

EMOJI = """👍 👍🏽 👩‍💻 👨‍👩‍👧‍👦 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪 🇯🇵 1️⃣ #️⃣ ❤️ ❤️‍🔥 ☺︎ ☺️ 🧑🏿‍🚀 🫠 🫨 🙈🙉🙊 ‼️ ⁉️ © ™️ ⏰ ✅ ❌ 🔥🔥🔥 🤷🏻‍♀️ 💩""".split()

SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n", "\n ", "\x0b", "\x0c", "\x85", "\xa0", "\u1680", "\u2003", "\u2009", "\u2028", "\u2029",
          "\u202f", "\u205f", "\u3000", "\u200b", "\u2060", "\ufeff", "\u180e", "\x1c", "\x1f"]

SPECIAL = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "[mask]", "[ SEP ]", "[SEP", "SEP]", "<s>", "</s>", "<pad>", "<unk>", "<mask>", "<MASK>", "<mask",
           "madeupword0001", "<|endoftext|>", "##", "##ing", "Ġ", "Ġthe", "âĢĻ", "</s><s>", "[SEP][CLS]"]

CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "''s", "'", "'x", "’s", "n't", "'rex", " 's", "'\u0301s"]

PUNCTUATION = list(".,;:!?()[]{}<>/\\|@#$%^&*-_=+~`\"'") + ["...", "--", "—", "–", "…", "«", "»", "„", "“", "¿", "¡", "·", "•", "、", "。", "「", "」", "٪", "۔", "।", "𑇉", "᙭"]

MARKS = [chr(c) for c in [*range(0x300, 0x370), 0x483, 0x591, 0x5b0, 0x5bf, 0x64b, 0x651, 0x670, 0x93c, 0x94d, 0x9bc, 0xe31, 0xe38, 0xe48, 0x1037, 0x1ab0, 0x1abf, 0x1ac1, 0x1dc0,
                          0x1df6, 0x20d0, 0x20dd, 0x302a, 0x3099, 0x309a, 0xfe20, 0x1d165, 0x1d16d, 0x11938, 0x1885, 0xa9bd, 0x1734, 0x8d4, 0x1e5ee, 0x10efd]]


def blocks():
    """Runs of assigned characters, cut where the first words of their names change: about one list a script."""
    runs, name = [], None
    for code in range(0x21, 0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        character = chr(code)
        # Unassigned here, but maybe not for the others: newer scripts are wanted too.
        if unicodedata.category(character) in ("Cn", "Co") and not 0x10000 <= code < 0x1F000:
            continue
        here = unicodedata.name(character, "NEW").split()[0]
        if here != name:
            runs.append([])
            name = here
        runs[-1].append(character)
    return [run for run in runs if len(run) > 2]


def tickets(path):
    texts = []
    for line in open(path, encoding="utf-8"):
        ticket = json.loads(line)
        texts += [ticket["subject"], ticket["body"], f'{ticket["subject"]}. {ticket["body"]}']
    return texts


def corpus(random, ticket_texts):
    scripts = blocks()
    words = sorted({word for sentence in SENTENCES for word in sentence.split()})
    english = sorted({word for text in ticket_texts for word in text.split()})
    texts = [*SENTENCES, *EMOJI, *SPACES, *SPECIAL, *CONTRACTIONS, *PUNCTUATION, "", " ", "a" * 99, "a" * 100, "a" * 101, "é" * 100, "é" * 101, "x" * 5000, "ab" * 20_000,
             " ".join(english * 3), "\u0301" * 300, "漢" * 700, "😀" * 400, "\n" * 200, "1" * 300]
    texts += ticket_texts[:2500]

    def script_word():
        script = random.choice(scripts)
        return "".join(random.choice(script) for _ in range(random.randint(1, 9)))

    def marked(word):
        return "".join(character + "".join(random.choice(MARKS) for _ in range(random.choice((0, 0, 1, 2)))) for character in word)

    makers = [
        lambda: script_word(), lambda: script_word(), lambda: random.choice(words), lambda: random.choice(english), lambda: random.choice(english).upper(),
        lambda: marked(random.choice(words)), lambda: marked(script_word()), lambda: unicodedata.normalize("NFD", random.choice(words)),
        lambda: random.choice(EMOJI), lambda: random.choice(SPECIAL), lambda: random.choice(english) + random.choice(CONTRACTIONS), lambda: random.choice(PUNCTUATION),
        lambda: f"{random.choice(english)}{random.choice(PUNCTUATION)}", lambda: str(random.randint(0, 10**random.randint(1, 12))), lambda: "".join(random.choices(words, k=3)),
        lambda: f"https://example.com/{random.choice(words)}?q={random.choice(words)}&id={random.randint(1, 999)}", lambda: f"user{random.randint(1, 99)}@example.org",
        lambda: f"ERR_{random.choice(english).upper()}-0x{random.randint(0, 2**32):08x}",
    ]
    # Every character once on its own and in a word, a few to a line.
    characters = [character for script in scripts for character in script]
    random.shuffle(characters)
    step = len(characters) // 4000 + 1
    for start in range(0, len(characters), step):
        texts.append(" ".join(f"{c} a{c}b" for c in characters[start:start + step]))
    while len(texts) < CORPUS:
        pieces = [random.choice(makers)() for _ in range(random.randint(1, 25))]
        texts.append("".join(piece + random.choice(SPACES if random.random() < 0.15 else (" ", " ", " ", "")) for piece in pieces))
    return texts[:CORPUS] if len(texts) >= CORPUS else texts


def fuzzed(random, texts):
    """Bytes, much of it no UTF-8: other texts damaged, and noise."""
    raw = [text.encode("utf-8") for text in texts if len(text) < 400]
    for _ in range(FUZZED):
        kind = random.random()
        if kind < 0.45:
            data = bytearray(random.choice(raw) + random.choice(raw))
            for _ in range(random.randint(1, 8)):
                at = random.randint(0, len(data))
                action = random.random()
                if action < 0.4:
                    data[at:at] = bytes([random.randint(0, 255)])
                elif action < 0.7:
                    del data[at:at + random.randint(1, 4)]
                elif data and at < len(data):
                    data[at] = random.randint(0, 255)
            yield bytes(data)
        elif kind < 0.6:
            yield random.randbytes(random.randint(0, 60))
        elif kind < 0.8:
            yield "".join(chr(c) for c in (random.randint(0, random.choice((0x7f, 0x2ff, 0x2fff, 0xd7ff))) for _ in range(random.randint(1, 60)))).encode("utf-8")
        elif kind < 0.9:
            codes = (random.randint(0x10000, random.choice((0x1ffff, 0x10ffff))) for _ in range(random.randint(1, 30)))
            yield "".join(chr(c) for c in codes).encode("utf-8")
        else:
            pools = SPACES + SPECIAL + CONTRACTIONS + MARKS + PUNCTUATION + EMOJI + list("aAıİ漢字ßΣσς") + ["\0", "\ufffd", "\x7f", "\xad", "\ue000"]
            yield "".join(random.choice(pools) for _ in range(random.randint(1, 30))).encode("utf-8")


def write_texts(path, texts):
    with open(path, "wb") as file:
        for text in texts:
            file.write(struct.pack("<I", len(text)) + text)


if __name__ == "__main__":
    seeded = random.Random(6)
    texts = corpus(seeded, tickets(sys.argv[1]))
    write_texts(sys.argv[2], [text.encode("utf-8") for text in texts] + list(fuzzed(seeded, texts)))
    print(f"{len(texts)} texts, {FUZZED} fuzzed inputs")
