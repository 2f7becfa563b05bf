"""Cases: what releases a positive test, and what a correction withdraws."""

from flow_events import HOUR, MINUTE, Case, close, corrected, negative, positive, secondary, stayed

P, N8, N9 = positive("p", 0), negative("n8", 8), negative("n9", 9)

CASES = [
    # release
    Case(
        "two negatives 24 hours apart after day 7 release a positive",
        [P, N8, N9],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
    ),
    Case(
        "negatives 23 hours 59 minutes apart release nothing",
        [P, N8, negative("n", 9 - MINUTE)],
        "0 RED EVIDENCE p",
    ),
    Case(
        "a third negative makes the 24 hours",
        [P, N8, negative("n", 9 - MINUTE), N9],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
    ),
    Case(
        "negatives before day 7 do not count",
        [P, negative("n5", 5), negative("n6", 7 - MINUTE), N8, N9],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
        "n5 no-change, n6 no-change",
    ),
    Case(
        "a negative exactly on day 7 counts",
        [P, negative("n7", 7), N8],
        "0 RED EVIDENCE p, 8 GREEN RELEASE n8",
    ),
    Case(
        "the release is at the negative that arrives later, not the later sample",
        [P, N9, (10, N8)],
        "0 RED EVIDENCE p, 10 GREEN RELEASE n8",
    ),
    Case(
        "one negative twice is one negative",
        [P, N8, (9, N8)],
        "0 RED EVIDENCE p",
        "n8 duplicate",
    ),
    Case(
        "a negative never shortens a contact's period",
        [close("c", 0), N8, N9],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY",
        "n8 no-change, n9 no-change",
    ),
    Case(
        "released from the positive, a person stays what other evidence says",
        [P, stayed("m", 1, "MEDIUM"), N8, N9],
        "0 RED EVIDENCE p, 9 ORANGE RELEASE n9, 15 GREEN EXPIRY",
    ),
    Case(
        "a second positive after the release is a new red",
        [P, N8, N9, positive("q", 12), negative("a", 13), negative("b", 19), negative("c", 20)],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9, 12 RED EVIDENCE q, 20 GREEN RELEASE c",
    ),
    Case(
        "a second positive before the release puts it off",
        [P, positive("q", 5), N8, N9, negative("a", 12), negative("b", 13)],
        "0 RED EVIDENCE p, 13 GREEN RELEASE b",
    ),
    Case(
        "the same positive again after its release is a duplicate",
        [P, N8, N9, (10, P)],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
        "p duplicate",
    ),
    Case(
        "a positive that is sent again when its release is forgotten turns nobody red",
        [P, N8, N9, (40, P)],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
        "p expired",
    ),
    Case(
        "a negative that comes 28 days late does not count",
        [P, N8, (37, N9)],
        "0 RED EVIDENCE p",
        "n9 expired",
    ),
    Case(
        "a positive that arrives late is covered by negatives that released another",
        [P, N8, N9, (10, positive("q", 0.5))],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
    ),
    # corrections
    Case(
        "a correction withdraws its evidence",
        [close("c", 0), corrected("k", 1, "c")],
        "0 RED EVIDENCE c, 1 GREEN CORRECTION k",
    ),
    Case(
        "a correction leaves what other evidence says",
        [secondary("s", 0), close("c", 0), corrected("k", 1, "c")],
        "0 ORANGE EVIDENCE s, 0 RED EVIDENCE c, 1 ORANGE CORRECTION k, 7 GREEN EXPIRY",
    ),
    Case(
        "a correction of evidence hidden by worse changes no colour",
        [close("c", 0), secondary("s", 10), corrected("k", 11, "s")],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY",
    ),
    Case(
        "an id means the same in upper and lower case",
        [close("ABc", 0), (0, close("abC", 0)), corrected("k", 1, "aBC")],
        "0 RED EVIDENCE abc, 1 GREEN CORRECTION k",
        "abC duplicate",
    ),
    Case(
        "a correction that overtakes its evidence annuls it",
        [corrected("k", 0, "c"), (1, close("c", 0))],
        "",
        "c annulled",
    ),
    Case(
        "annulled evidence stays annulled when it comes again",
        [corrected("k", 0, "c"), (1, close("c", 0)), (2, close("c", 0))],
        "",
        "c annulled, c annulled",
    ),
    Case(
        "withdrawn evidence stays withdrawn when it comes again",
        [close("c", 0), corrected("k", 1, "c"), (2, close("c", 0))],
        "0 RED EVIDENCE c, 1 GREEN CORRECTION k",
        "c annulled",
    ),
    Case(
        "a correction that overtakes by 30 days is forgotten",
        [corrected("k", 0, "q"), (30, positive("q", 30))],
        "30 RED EVIDENCE q",
    ),
    Case(
        "a correction that overtakes by a minute less is not",
        [corrected("k", 0, "q"), (30 - MINUTE, positive("q", 29))],
        "",
        "q annulled",
    ),
    Case(
        "a second correction of the same is a duplicate",
        [close("c", 0), corrected("k", 1, "c"), corrected("l", 2, "c")],
        "0 RED EVIDENCE c, 1 GREEN CORRECTION k",
        "l duplicate",
    ),
    Case(
        "a correction of the unknown changes no colour",
        [close("c", 0), corrected("k", 1, "nothing")],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY",
    ),
    Case(
        "a correction cannot be corrected",
        [close("c", 0), corrected("k", 1, "c"), corrected("l", 2, "k")],
        "0 RED EVIDENCE c, 1 GREEN CORRECTION k",
    ),
    Case(
        "a positive corrected before its release is withdrawn",
        [P, N8, corrected("k", 8.5, "p"), N9],
        "0 RED EVIDENCE p, 8.5 GREEN CORRECTION k",
        "n9 no-change",
    ),
    Case(
        "a positive corrected after its release changes no colour",
        [P, N8, N9, corrected("k", 10, "p")],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
    ),
    Case(
        "a correction of evidence that is over changes no colour",
        [close("c", 0), corrected("k", 20, "c")],
        "0 RED EVIDENCE c, 14 GREEN EXPIRY",
    ),
    Case(
        "a corrected negative that had released brings the colour back",
        [P, N8, N9, corrected("k", 10, "n8")],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9, 10 RED CORRECTION k",
    ),
    Case(
        "after that, another negative releases again",
        [P, N8, N9, corrected("k", 10, "n8"), negative("n", 10.5)],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9, 10 RED CORRECTION k, 10.5 GREEN RELEASE n",
    ),
    Case(
        "a corrected negative changes nothing while two others still release",
        [P, N8, N9, negative("n", 10), corrected("k", 11, "n8")],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
    ),
    Case(
        "a negative corrected before it releases does not count",
        [P, N8, corrected("k", 8.5, "n8"), N9, negative("n", 10)],
        "0 RED EVIDENCE p, 10 GREEN RELEASE n",
    ),
    Case(
        "a negative annulled before it came does not count",
        [P, corrected("k", 1, "n8"), N8, N9],
        "0 RED EVIDENCE p",
        "n8 annulled",
    ),
    Case(
        "a corrected negative brings the colour back up to 30 days after the release",
        [P, N8, N9, corrected("k", 39 - HOUR, "n9")],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9, 39-1h RED CORRECTION k",
    ),
    Case(
        "30 days after the release it is forgotten, and a corrected negative changes nothing",
        [P, N8, N9, corrected("k", 39, "n9")],
        "0 RED EVIDENCE p, 9 GREEN RELEASE n9",
    ),
]
