"""The short texts beside the microscope."""

INTRODUCTION = """# Reading lines of text
Upload, paste, photograph or draw **one line** of handwriting or print. Nothing leaves this
computer.
"""

MICROSCOPE = """
The network cuts the line into narrow columns, the **frames**, and says for each of them how
likely every character is, or **blank**: "nothing new here". The deeper a cell, the likelier. The
red line is the likeliest path of the text that was read; below, the path collapses to the text.
"""

LESSONS = {
    "What is the blank for?": """
Frames are narrower than letters, so a letter shows up in several of them. Repeats are therefore
merged: `h a a l l o` is *halo*. To write *hallo* the path needs something between the two l: `h a
l – l o`. That is the blank. It also fills the frames in which nothing new begins, which is most
of them: a trained network says each letter once, in a spike, and blank elsewhere.
""",
    "How does a path become a text?": """
First equal neighbours are merged, then blanks are dropped, in this order. Many paths collapse to
the same text: `– h h a l – l o` and `h a – l – l l o` are both *hallo*. The probability of a text
is the **sum** over all of its paths.
""",
    "Why is the best path not the best text?": """
The best path takes the likeliest symbol of every frame. It is one path; its text may have no
other. Another text may own a hundred paths, each a little less likely, and a larger sum. The
columns *best path* and *all paths* in the table show both, as natural logarithms: 0 is certain,
−2.3 is one in ten, −4.6 one in a hundred. **Prefix beam search** adds up the paths of every text
that it keeps.
""",
    "What did the language model change?": """
Given the image, frames know nothing of each other: the network has no spelling in it beyond what
it sees. While the search grows a text letter by letter, `lm_weight` × the language model's
log-probability of the letter and `length_bonus` are added. The bonus makes up for the model's
dislike of any further letter. Move the two sliders on the first tab: the emissions are stored, so
only the search runs again. With too much weight the model writes what it would have said instead
of what is there. With *auto*, a larger model, which remembers the whole line before a letter, then
ranks the likeliest texts where they leave doubt (not with `lm_weight` 0).
""",
    "How probable is my own text?": """
Type a text and press *Align*: the network does not choose, it is asked how likely all paths of
exactly this text are (the forward-backward sum of CTC training), and where on the line each
letter would stand.
""",
}
