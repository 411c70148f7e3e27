from ocr.compiled import compiled


def test_what_can_be_kept_nowhere_is_compiled_all_the_same():
    # what has no file has no place beside it, as in a container that can be read only
    space = {"compiled": compiled}
    exec("@compiled()\ndef twice(x):\n    return 2 * x\n", space)
    assert space["twice"](21) == 42
    assert space["twice"].nopython_signatures


def test_what_has_a_file_is_kept():
    from ocr.lm.ngram import advance

    assert type(advance._cache).__name__ == "FunctionCache"
