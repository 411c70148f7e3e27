"""The compiled loop of the prefix beam search. Imported only when a beam is wanted: Numba is heavy.

Probabilities are linear and rescaled at every frame, so a step costs multiplications, no logarithm.
The language model's factor is part of a prefix's probability; it belongs to the prefix alone, so
paths of one prefix still add up, and dividing by it gives back the CTC probability exactly.
"""

from __future__ import annotations

import numpy as np

from ocr.compiled import compiled
from ocr.ctc.fusion import (
    BETWEEN,
    CHARACTER_STATE,
    CHILD,
    PARENT,
    PLACE,
    SIBLING,
    STAMP,
    SYMBOL,
    TRIE,
    WORD_STATE,
    end_word,
    grow,
)
from ocr.lm.ngram import advance


@compiled()
def nth_largest(values, n):
    """The n-th largest of the values (1 <= n), which are reordered. Hoare's selection: numpy's
    partition does the same, and would take half of the compiling time of the whole search."""
    low, high, place = 0, len(values) - 1, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            break
    return values[place]


# Written with loops on purpose: numpy's copies of slices, gathers and argsort are no faster at
# these sizes, and Numba takes longer to compile them than all the rest of the search.


@compiled()
def ranking(scores):
    """Places of the scores, the highest first; equal scores stay in order. Insertion sort: there
    are as many as the beam is wide, and most of them are in order from the frame before."""
    order = np.empty(len(scores), np.int32)
    for i in range(len(scores)):
        j = i
        while j > 0 and scores[order[j - 1]] < scores[i]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
    return order


@compiled()
def room_for_ties(values, least, most):
    """How many of the values that equal the least may stay where `most` do: what is above it goes
    first, wherever it stands."""
    room = most
    for value in values:
        room -= value > least
    return room


@compiled()
def likely(row, log_threshold, most, candidates):
    """Number of labels above the threshold in a frame, at most `most`; written to `candidates`."""
    found = 0
    for k in range(1, len(row)):
        if row[k] > log_threshold:
            candidates[found] = k
            found += 1
    if found > most:
        values = np.empty(found)
        for i in range(found):
            values[i] = row[candidates[i]]
        least = nth_largest(values, most)
        ties = room_for_ties(values, least, most)
        kept = 0
        for i in range(found):
            value = row[candidates[i]]
            if value > least or (value == least and ties > 0):
                ties -= value == least
                candidates[kept] = candidates[i]
                kept += 1
        found = kept
    return found


@compiled()
def sums(a, b, n):
    """The first n of a + b."""
    both = np.empty(n)
    for i in range(n):
        both[i] = a[i] + b[i]
    return both


@compiled()
def search(
    emissions,
    width,
    log_threshold,
    most_symbols,
    beam_threshold,
    in_word,
    characters,
    character_model,
    character_start,
    character_end,
    words,
    word_model,
    word_start,
    word_end,
    settings,
):
    """Prefix beam search over T x C log-probabilities, blank = 0.

    Returns (labels N x Lmax padded with 0, best first; ranked N, the rank's place in what follows;
    lengths N, scores N, log CTC probabilities N), N <= width.

    A prefix gets probability from itself (its last label goes on, or blank follows) and from its
    parent (the label is added). For prefixes in the beam both are summed from their own side, by
    the parent's place in the beam. So what is left to add are prefixes that are not in the beam:
    those get nothing but the parent's share, and are dropped unseen if that share cannot reach the
    beam. A node of the tree is made for what survives, or taken up again: a prefix that fell out of
    the beam may have longer ones in it, which are to know their parent when it comes back.
    """
    frames, classes = emissions.shape
    fused = len(character_model[0]) > 1 or words[0].size > 1 or settings[1] != 0.0
    # a language model's score is at most 0, so this bounds the factor of one more label
    most_factor = np.exp(max(0.0, settings[1]))
    capacity = 4096
    nodes = np.empty((capacity, 9), np.int32)
    priors = np.empty(capacity)  # language models' log-score of the whole prefix
    factors = np.empty(capacity)  # and of its last label, as a factor
    nodes[0, PARENT] = nodes[0, STAMP] = nodes[0, CHILD] = nodes[0, SIBLING] = -1
    nodes[0, SYMBOL] = nodes[0, PLACE] = 0
    nodes[0, CHARACTER_STATE], nodes[0, TRIE], nodes[0, WORD_STATE] = (
        character_start,
        BETWEEN,
        word_start,
    )
    priors[0] = 0.0
    factors[0] = 1.0
    count = 1

    # a prefix under way: node, probability of its paths ending in blank and in its last label
    beam = np.zeros(1, np.int32)
    blank = np.ones(1)
    label_ = np.zeros(1)
    log_scale = 0.0
    candidates = np.empty(classes, np.int32)
    chances = np.empty(classes)

    for t in range(frames):
        row = emissions[t]
        y_blank = np.exp(np.float64(row[0]))
        found = likely(row, log_threshold, most_symbols, candidates)
        size = len(beam)
        if found == 0:
            # only blank or standing still: no prefix grows
            best = 0.0
            for i in range(size):
                both = blank[i] + label_[i]
                if label_[i] > 0.0:
                    label_[i] *= np.exp(np.float64(row[nodes[beam[i], SYMBOL]]))
                blank[i] = both * y_blank
                best = max(best, blank[i] + label_[i])
            if best <= 0.0:
                break
            for i in range(size):
                blank[i] /= best
                label_[i] /= best
            log_scale += np.log(best)
            continue
        # likeliest first, so that the floor rises early and the rest can be left unseen
        for i in range(1, found):
            k = candidates[i]
            j = i
            while j > 0 and row[candidates[j - 1]] < row[k]:
                candidates[j] = candidates[j - 1]
                j -= 1
            candidates[j] = k
        for i in range(found):
            chances[i] = np.exp(np.float64(row[candidates[i]]))

        # prefixes that stay: their own paths, and those of a parent that is in the beam
        room = size * (found + 1)
        next_beam = np.empty(room, np.int32)
        next_blank = np.zeros(room)
        next_label = np.zeros(room)
        child = np.empty(size, np.int32)  # first child in the beam, by place; then its sibling
        sibling = np.empty(size, np.int32)
        for i in range(size):
            child[i] = -1
            nodes[beam[i], PLACE] = i
            nodes[beam[i], STAMP] = t
        best, lowest = 0.0, np.inf
        for i in range(size):
            node = beam[i]
            symbol = nodes[node, SYMBOL]
            next_beam[i] = node
            next_blank[i] = (blank[i] + label_[i]) * y_blank
            if node > 0:
                y = np.exp(np.float64(row[symbol]))
                p = label_[i] * y
                parent = nodes[node, PARENT]
                if nodes[parent, STAMP] == t:
                    j = nodes[parent, PLACE]
                    sibling[i] = child[j]
                    child[j] = i
                    if row[symbol] > log_threshold:
                        share = blank[j]
                        if nodes[parent, SYMBOL] != symbol:
                            share += label_[j]
                        p += share * y * factors[node]
                next_label[i] = p
            total = next_blank[i] + next_label[i]
            best = max(best, total)
            lowest = min(lowest, total)

        # prefixes that are new: `made` holds what the language models said of them
        floor = best * beam_threshold
        if size >= width:
            floor = max(floor, lowest)
        made = np.empty((room - size, 5), np.int32)
        said = np.empty(room - size)
        new = seen = 0
        for i in range(size):
            if size + new - seen >= 8 and size + new > width:
                # the beam is full: below its weakest place nothing needs to be looked at
                floor = max(floor, nth_largest(sums(next_blank, next_label, size + new), width))
                seen = size + new
            node = beam[i]
            symbol = nodes[node, SYMBOL]
            both = blank[i] + label_[i]
            if both * most_factor <= floor:
                continue
            for j in range(found):
                k = candidates[j]
                p = (blank[i] if k == symbol and node > 0 else both) * chances[j]
                if p * most_factor <= floor:
                    if k == symbol:
                        continue
                    break
                other = child[i]
                while other >= 0 and nodes[beam[other], SYMBOL] != k:
                    other = sibling[other]
                if other >= 0:
                    continue
                score, state, trie, word_state = 0.0, 0, BETWEEN, 0
                if fused:
                    score, state, trie, word_state = grow(
                        node, k, nodes, in_word, characters, character_model,
                        words, word_model, settings,
                    )  # fmt: skip
                    p *= np.exp(score)
                    if p <= floor:
                        continue
                next_beam[size + new] = -1 - new
                next_label[size + new] = p
                made[new, PARENT] = node
                made[new, SYMBOL] = k
                made[new, CHARACTER_STATE] = state
                made[new, TRIE] = trie
                made[new, WORD_STATE] = word_state
                said[new] = score
                new += 1
                best = max(best, p)
        if best <= 0.0:
            break

        totals = sums(next_blank, next_label, size + new)
        least = best * beam_threshold
        if size + new > width:
            least = max(least, nth_largest(sums(next_blank, next_label, size + new), width))
        if count + new > capacity:
            capacity = max(2 * capacity, count + new)
            more_nodes = np.empty((capacity, 9), np.int32)
            more_priors, more_factors = np.empty(capacity), np.empty(capacity)
            for i in range(count):
                for c in range(9):
                    more_nodes[i, c] = nodes[i, c]
                more_priors[i], more_factors[i] = priors[i], factors[i]
            nodes, priors, factors = more_nodes, more_priors, more_factors
        kept, ties = 0, room_for_ties(totals, least, width)
        for i in range(size + new):
            if totals[i] > 0.0 and (totals[i] > least or (totals[i] == least and ties > 0)):
                ties -= totals[i] == least
                node = next_beam[i]
                if node < 0:
                    n = -1 - node
                    parent = made[n, PARENT]
                    node = nodes[parent, CHILD]
                    while node >= 0 and nodes[node, SYMBOL] != made[n, SYMBOL]:
                        node = nodes[node, SIBLING]
                    if node < 0:
                        node = count
                        for c in range(5):
                            nodes[node, c] = made[n, c]
                        nodes[node, STAMP] = nodes[node, CHILD] = -1
                        nodes[node, SIBLING] = nodes[parent, CHILD]
                        nodes[parent, CHILD] = node
                        priors[node] = priors[parent] + said[n]
                        factors[node] = np.exp(said[n])
                        count += 1
                next_beam[kept] = node
                next_blank[kept] = next_blank[i] / best
                next_label[kept] = next_label[i] / best
                kept += 1
        order = ranking(sums(next_blank, next_label, kept))
        beam, blank, label_ = np.empty(kept, np.int32), np.empty(kept), np.empty(kept)
        for i in range(kept):
            beam[i] = next_beam[order[i]]
            blank[i], label_[i] = next_blank[order[i]], next_label[order[i]]
        log_scale += np.log(best)

    # the end of the line is an event for the language models, too
    number = len(beam)
    scores = np.empty(number)
    log_probs = np.empty(number)
    lengths = np.empty(number, np.int64)
    for i in range(number):
        node = beam[i]
        p = blank[i] + label_[i]
        score = (np.log(p) if p > 0.0 else -np.inf) + log_scale
        log_probs[i] = score - priors[node]
        if len(character_model[0]) > 1 and character_end >= 0:
            log_prob, _ = advance(nodes[node, CHARACTER_STATE], character_end, *character_model)
            score += settings[0] * max(log_prob, settings[4][0])  # the end has the place of blank
        if words[0].size > 1:
            state = nodes[node, WORD_STATE]
            if nodes[node, TRIE] != BETWEEN:
                ended, state = end_word(nodes[node, TRIE], state, words, word_model, settings[3])
                score += settings[2] * ended
            if len(word_model[0]) > 1 and word_end >= 0:
                log_prob, _ = advance(state, word_end, *word_model)
                score += settings[2] * log_prob
        scores[i] = score
        length = 0
        while node > 0:
            length += 1
            node = nodes[node, PARENT]
        lengths[i] = length
    ranked = ranking(scores)
    longest = 0
    for i in range(number):
        longest = max(longest, lengths[i])
    labels = np.zeros((number, longest), np.int32)
    for r in range(number):
        node = beam[ranked[r]]
        place = lengths[ranked[r]]
        while node > 0:
            place -= 1
            labels[r, place] = nodes[node, SYMBOL]
            node = nodes[node, PARENT]
    return labels, ranked, lengths, scores, log_probs
