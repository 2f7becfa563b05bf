"""Cases: what gives which colour, several at once, and time."""

from flow_events import MINUTE, Case, close, corrected, event, national, negative, positive, secondary, stayed

CASES = [
    # one kind at a time
    Case(
        "a positive test is red until it is released, however long that takes",
        [positive("p", 0)],
        "0 RED EVIDENCE p",
    ),
    Case(
        "a close contact is red for 14 days",
        [close("c", 0)],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY",
    ),
    Case(
        "a secondary contact is orange for 7 days",
        [secondary("s", 0)],
        "0 ORANGE EVIDENCE s, 7 GREEN EXPIRY",
    ),
    Case(
        "a stay in a high-risk area is red for 14 days",
        [stayed("h", 0, "HIGH")],
        "0 RED EVIDENCE h, 14 GREEN EXPIRY",
    ),
    Case(
        "a stay in a medium-risk area is orange for 14 days",
        [stayed("m", 0, "MEDIUM")],
        "0 ORANGE EVIDENCE m, 14 GREEN EXPIRY",
    ),
    Case(
        "a national hit holds until the time that it names",
        [national("x", 0, "RED", 3)],
        "0 RED EVIDENCE x, 3 GREEN EXPIRY",
    ),
    Case(
        "a national hit that names no time holds for 14 days",
        [national("x", 0, "ORANGE")],
        "0 ORANGE EVIDENCE x, 14 GREEN EXPIRY",
    ),
    Case(
        "a national green is no evidence",
        [national("g", 0, "GREEN")],
        "",
        "g no-evidence",
    ),
    Case(
        "a national green withdraws nothing",
        [close("c", 0), national("g", 1, "GREEN")],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY",
        "g no-evidence",
    ),
    Case(
        "a stay in a low-risk area is no evidence",
        [stayed("l", 0, "LOW")],
        "",
        "l no-evidence",
    ),
    Case(
        "symbols of a later schema version, read as UNKNOWN, are no evidence",
        [
            event("health.test.result", "u", 0, result="UNKNOWN", laboratory="lab"),
            event("health.contact.identified", "v", 0, degree="UNKNOWN", case_id="case"),
            stayed("w", 0, "UNKNOWN"),
        ],
        "",
        "u no-evidence, v no-evidence, w no-evidence",
    ),
    Case(
        "a negative of a person without state changes nothing",
        [negative("n", 0)],
        "",
        "n no-change",
    ),
    # several at once
    Case(
        "the colour is the worst of many",
        [secondary("s", 0), close("c", 1), stayed("m", 2, "MEDIUM")],
        "0 ORANGE EVIDENCE s, 1 RED EVIDENCE c, 15 ORANGE EXPIRY, 16 GREEN EXPIRY",
    ),
    Case(
        "overlapping periods of one colour are one change there and one back",
        [close("c", 0), close("d", 5), stayed("h", 9, "HIGH")],
        "0 RED EVIDENCE c, 23 GREEN EXPIRY",
    ),
    Case(
        "milder evidence under worse shows when the worse is over",
        [close("c", 0), secondary("s", 10)],
        "0 RED EVIDENCE c, 14 ORANGE EXPIRY, 17 GREEN EXPIRY",
    ),
    Case(
        "milder evidence that is over first never shows",
        [close("c", 0), secondary("s", 1)],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY",
    ),
    Case(
        "timers that coincide make one change",
        [close("c", 0), national("x", 1, "RED", 14), stayed("m", 0, "MEDIUM")],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY",
    ),
    Case(
        "evidence that begins when another is over is two changes, for the timer fires before the record",
        [close("c", 0), close("d", 14)],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY, 14 RED EVIDENCE d, 28 GREEN EXPIRY",
    ),
    # time
    Case(
        "evidence that arrives late is over when its period from occurrence is",
        [(10, close("c", 0))],
        "10 RED EVIDENCE c, 14 GREEN EXPIRY",
    ),
    Case(
        "evidence that arrives exactly when it is over is expired",
        [(14, close("c", 0))],
        "",
        "c expired",
    ),
    Case(
        "evidence that arrives a minute before it is over counts for that minute",
        [(14 - MINUTE, close("c", 0))],
        "14-1m RED EVIDENCE c, 14 GREEN EXPIRY",
    ),
    Case(
        "a national hit whose time is over is expired",
        [(2, national("x", 0, "RED", 1))],
        "",
        "x expired",
    ),
    Case(
        "a positive or a national hit that comes 28 days late is no evidence",
        [(28, positive("p", 0)), (29, national("x", 0, "RED", 90))],
        "",
        "p expired, x expired",
    ),
    Case(
        "a positive that comes a minute less late is",
        [(28 - MINUTE, positive("p", 0))],
        "28-1m RED EVIDENCE p",
    ),
    Case(
        "evidence out of order gives the same end as in order",
        [(6, secondary("s", 5)), (7, secondary("r", 0.5))],
        "6 ORANGE EVIDENCE s, 12 GREEN EXPIRY",
    ),
    Case(
        "evidence dated a little ahead of the chain's time counts from when that time comes",
        [(0, close("c", 5 * MINUTE))],
        "5m RED EVIDENCE c, 14+5m GREEN EXPIRY",
    ),
    Case(
        "evidence dated ahead is named by the change, though a timer makes it",
        [secondary("s", 0), (1, close("c", 1 + MINUTE))],
        "0 ORANGE EVIDENCE s, 1+1m RED EVIDENCE c, 15+1m GREEN EXPIRY",
    ),
    Case(
        "evidence dated ahead and withdrawn before its time never shows",
        [(0, close("c", 2 * MINUTE)), corrected("k", MINUTE, "c")],
        "",
    ),
]
