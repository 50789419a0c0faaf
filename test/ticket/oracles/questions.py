"""What our models and the oracles are asked. Everything is seeded: the same questions each time."""
import hashlib
import json
import random


def tickets(rng, count):
    """Texts of all lengths: English, other scripts, none at all."""
    words = ("the login page shows an error when I try to pay my invoice and customer support has not answered for three "
             "days please help us with this integration of the webhook API naïve café Größe 请帮助我 مشكلة помогите 🙂 "
             "refund charged twice ERR-4012 https://example.com/a?b=c unbelievably disestablishment").split()
    return [" ".join(rng.choice(words) for _ in range(rng.choice((1, 3, 8, 20, 40, 90, 300)))) + rng.choice(("", ".", "?!"))
            for _ in range(count - 1)] + ["."]


def random_sequences(rng, count, vocabulary, first, last, longest):
    sequences = []
    for i in range(count):
        length = rng.choice((1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64)) if i % 3 else rng.randint(1, longest)
        sequences.append([first] + [rng.randrange(4, vocabulary) for _ in range(length)] + [last])
    return sequences


def model_questions():
    """By model: 300 texts to embed, 120 sequences of tokens to classify, 220 to summarize."""
    rng = random.Random(3)
    return {"embed": tickets(rng, 300),
            "classify": random_sequences(rng, 120, 30522, 101, 102, 510),
            "summarize": random_sequences(rng, 220, 5003, 0, 2, 300)}


def fingerprint(questions):
    """Stands beside expected answers: answers to other questions are of no use."""
    data = questions if isinstance(questions, bytes) else json.dumps(questions).encode()
    return hashlib.sha256(data).hexdigest()
