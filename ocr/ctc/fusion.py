"""What language models say of a prefix that grows: the fused part of the beam search, compiled."""

from __future__ import annotations

from ocr.compiled import compiled
from ocr.lm.ngram import advance

# columns of the prefix tree's table: a prefix is its parent and its last label; CHILD is the node
# made last of those that are longer by one label, SIBLING the one made before it of the same parent
PARENT, SYMBOL, CHARACTER_STATE, TRIE, WORD_STATE, PLACE, STAMP, CHILD, SIBLING = range(9)
OUTSIDE = -1  # trie position of a word that the lexicon lacks
BETWEEN = -2  # trie position between words


@compiled()
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


@compiled()
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
    if len(word_model[0]) > 1:
        log_prob, word_state = advance(word_state, word, *word_model)
        if word != unknown:
            score += log_prob
    return score, word_state


@compiled()
def grow(parent, label, nodes, in_word, characters, character_model, words, word_model, settings):
    """What language models say of one more label behind a prefix: (log-score, character state, trie
    position, word state)."""
    character_weight, length_bonus, word_weight, outside_price, floors = settings
    score = length_bonus
    state = nodes[parent, CHARACTER_STATE]
    if len(character_model[0]) > 1:
        log_prob, state = advance(state, characters[label], *character_model)
        score += character_weight * max(log_prob, floors[label])
    trie, word_state = nodes[parent, TRIE], nodes[parent, WORD_STATE]
    if words[0].size > 1:
        if in_word[label]:
            if trie == BETWEEN:
                trie = 0
            if trie >= 0:
                trie = trie_child(trie, label, words[0], words[1], words[2])
                if trie == OUTSIDE:
                    score -= word_weight * outside_price
        elif trie != BETWEEN:
            word_score, word_state = end_word(trie, word_state, words, word_model, outside_price)
            score += word_weight * word_score
            trie = BETWEEN
    return score, state, trie, word_state
