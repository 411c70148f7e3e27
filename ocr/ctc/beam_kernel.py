"""The compiled loop of the prefix beam search. Imported only when a beam is wanted: Numba is heavy.

Probabilities are linear and rescaled at every frame, so a step costs multiplications, no logarithm.
The language model's factor is part of a prefix's probability; it belongs to the prefix alone, so
paths of one prefix still add up, and dividing by it gives back the CTC probability exactly.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ocr.lm.ngram import advance

# columns of the prefix tree's integer table
PARENT, SYMBOL, CHILD, SIBLING, CHARACTER_STATE, TRIE, WORD_STATE, SLOT, STAMP = range(9)
OUTSIDE = -1  # trie position of a word that the lexicon lacks
BETWEEN = -2  # trie position between words


@njit(cache=True, nogil=True)
def trie_child(node, label, first, labels, targets):
    """The trie node behind `label`, or OUTSIDE."""
    low, high = first[node], first[node + 1]
    while low < high:
        middle = (low + high) // 2
        if labels[middle] < label:
            low = middle + 1
        else:
            high = middle
    if low < first[node + 1] and labels[low] == label:
        return targets[low]
    return OUTSIDE


@njit(cache=True, nogil=True)
def end_word(trie, word_state, words, word_model, outside_price):
    """Log-score and next word state when a word ends at a trie position (not BETWEEN)."""
    _, _, _, word_of, unknown = words
    word = unknown
    score = 0.0
    if trie >= 0:
        if word_of[trie] >= 0:
            word = word_of[trie]
        else:
            score = -outside_price  # stopped inside a longer word
    if word_model[0].size > 1:
        log_prob, word_state = advance(word_state, word, *word_model)
        if word != unknown:
            score += log_prob
    return score, word_state


@njit(cache=True, nogil=True)
def new_node(
    nodes,
    priors,
    count,
    parent,
    label,
    in_word,
    characters,
    character_model,
    words,
    word_model,
    settings,
):
    """Append the child `label` of `parent`; its prior is the log-score of its last character."""
    character_weight, length_bonus, word_weight, outside_price = settings
    prior = length_bonus
    state = nodes[parent, CHARACTER_STATE]
    if character_model[0].size > 1:
        log_prob, state = advance(state, characters[label], *character_model)
        prior += character_weight * log_prob
    trie, word_state = nodes[parent, TRIE], nodes[parent, WORD_STATE]
    if words[0].size > 1:
        if in_word[label]:
            if trie == BETWEEN:
                trie = 0
            if trie >= 0:
                trie = trie_child(trie, label, words[0], words[1], words[2])
                if trie == OUTSIDE:
                    prior -= word_weight * outside_price
        elif trie != BETWEEN:
            score, word_state = end_word(trie, word_state, words, word_model, outside_price)
            prior += word_weight * score
            trie = BETWEEN
    nodes[count, PARENT] = parent
    nodes[count, SYMBOL] = label
    nodes[count, CHILD] = -1
    nodes[count, SIBLING] = nodes[parent, CHILD]
    nodes[parent, CHILD] = count
    nodes[count, CHARACTER_STATE] = state
    nodes[count, TRIE] = trie
    nodes[count, WORD_STATE] = word_state
    nodes[count, STAMP] = -1
    priors[count, 0] = np.exp(prior)
    priors[count, 1] = priors[parent, 1] + prior


@njit(cache=True, nogil=True)
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

    Returns (labels N x Lmax padded with 0, lengths N, scores N, log CTC probabilities N), best
    first, N <= width.
    """
    frames, classes = emissions.shape
    capacity = 1024
    nodes = np.empty((capacity, 9), np.int32)
    priors = np.empty((capacity, 2), np.float64)
    nodes[0] = 0
    nodes[0, PARENT] = -1
    nodes[0, CHILD] = -1
    nodes[0, SIBLING] = -1
    nodes[0, CHARACTER_STATE] = character_start
    nodes[0, TRIE] = BETWEEN
    nodes[0, WORD_STATE] = word_start
    nodes[0, STAMP] = -1
    priors[0, 0] = 1.0
    priors[0, 1] = 0.0
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
        y_blank = np.exp(row[0])
        found = 0
        for k in range(1, classes):
            if row[k] > log_threshold:
                candidates[found] = k
                found += 1
        if found > most_symbols:
            values = np.empty(found, row.dtype)
            for i in range(found):
                values[i] = row[candidates[i]]
            least = np.partition(values, found - most_symbols)[found - most_symbols]
            kept = 0
            for i in range(found):
                if row[candidates[i]] >= least and kept < most_symbols:
                    candidates[kept] = candidates[i]
                    kept += 1
            found = kept
        if found == 0:
            # only blank or standing still: no prefix grows
            best = 0.0
            for i in range(len(beam)):
                both = blank[i] + label_[i]
                label_[i] *= np.exp(row[nodes[beam[i], SYMBOL]]) if beam[i] else 0.0
                blank[i] = both * y_blank
                best = max(best, blank[i] + label_[i])
            if best <= 0.0:
                break
            for i in range(len(beam)):
                blank[i] /= best
                label_[i] /= best
            log_scale += np.log(best)
            continue
        for i in range(found):
            chances[i] = np.exp(row[candidates[i]])

        room = len(beam) * (found + 1)
        if count + room > capacity:
            capacity = max(2 * capacity, count + room)
            more_nodes = np.empty((capacity, 9), np.int32)
            more_nodes[:count] = nodes[:count]
            nodes = more_nodes
            more_priors = np.empty((capacity, 2), np.float64)
            more_priors[:count] = priors[:count]
            priors = more_priors
        next_beam = np.empty(room, np.int32)
        next_blank = np.zeros(room)
        next_label = np.zeros(room)
        size = 0
        best = 0.0
        for i in range(len(beam)):
            node = beam[i]
            symbol = nodes[node, SYMBOL]
            both = blank[i] + label_[i]
            if nodes[node, STAMP] == t:
                slot = nodes[node, SLOT]
            else:
                slot = size
                next_beam[slot] = node
                nodes[node, STAMP] = t
                nodes[node, SLOT] = slot
                size += 1
            next_blank[slot] += both * y_blank
            if symbol > 0:
                next_label[slot] += label_[i] * np.exp(row[symbol])
            best = max(best, next_blank[slot] + next_label[slot])
            floor = best * beam_threshold
            for j in range(found):
                k = candidates[j]
                p = (blank[i] if k == symbol else both) * chances[j]
                if p <= floor:
                    continue
                child = nodes[node, CHILD]
                while child >= 0 and nodes[child, SYMBOL] != k:
                    child = nodes[child, SIBLING]
                if child < 0:
                    new_node(
                        nodes, priors, count, node, k, in_word, characters, character_model,
                        words, word_model, settings,
                    )  # fmt: skip
                    child = count
                    count += 1
                p *= priors[child, 0]
                if nodes[child, STAMP] == t:
                    slot = nodes[child, SLOT]
                else:
                    slot = size
                    next_beam[slot] = child
                    nodes[child, STAMP] = t
                    nodes[child, SLOT] = slot
                    size += 1
                next_label[slot] += p
                best = max(best, next_label[slot] + next_blank[slot])
        if best <= 0.0:
            break
        totals = next_blank[:size] + next_label[:size]
        least = best * beam_threshold
        if size > width:
            least = max(least, np.partition(totals, size - width)[size - width])
        kept = 0
        for i in range(size):
            if totals[i] >= least and totals[i] > 0.0 and kept < width:
                next_beam[kept] = next_beam[i]
                next_blank[kept] = next_blank[i] / best
                next_label[kept] = next_label[i] / best
                kept += 1
        beam, blank, label_ = next_beam[:kept], next_blank[:kept], next_label[:kept]
        log_scale += np.log(best)

    # the end of the line is an event for the language models, too
    number = len(beam)
    scores = np.empty(number)
    log_probs = np.empty(number)
    lengths = np.empty(number, np.int64)
    for i in range(number):
        node = beam[i]
        p = blank[i] + label_[i]
        fused = (np.log(p) if p > 0.0 else -np.inf) + log_scale
        log_probs[i] = fused - priors[node, 1]
        if character_model[0].size > 1 and character_end >= 0:
            log_prob, _ = advance(nodes[node, CHARACTER_STATE], character_end, *character_model)
            fused += settings[0] * log_prob
        if words[0].size > 1:
            state = nodes[node, WORD_STATE]
            if nodes[node, TRIE] != BETWEEN:
                score, state = end_word(nodes[node, TRIE], state, words, word_model, settings[3])
                fused += settings[2] * score
            if word_model[0].size > 1 and word_end >= 0:
                log_prob, _ = advance(state, word_end, *word_model)
                fused += settings[2] * log_prob
        scores[i] = fused
        length = 0
        while node > 0:
            length += 1
            node = nodes[node, PARENT]
        lengths[i] = length
    order = np.argsort(-scores)
    labels = np.zeros((number, lengths.max() if number else 0), np.int32)
    for r in range(number):
        node = beam[order[r]]
        place = lengths[order[r]]
        while node > 0:
            place -= 1
            labels[r, place] = nodes[node, SYMBOL]
            node = nodes[node, PARENT]
    return labels, lengths[order], scores[order], log_probs[order]
