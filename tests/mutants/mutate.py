"""Finds what can be changed in C source: one small mistake at a time.

A mutant is a replacement for a span of a file.  All mutants of a file are written into one copy of
it ("schemata"): each span becomes `(mutant is 17 ? mistake : as it was)`, so one build holds them
all, and a number in the binary chooses one.  This works because every mutant is an expression for an
expression, with the same meaning of types.

What is changed, by the name of the operator:

    never, always      a condition of if or ?:, a returned bool: forced (it is still computed)
    drop               one operand of && or ||; one term of a mask A | B; the mask of `value & mask`
    compare            < becomes <=, == becomes !=, and so on (not if it is a whole condition: forced)
    step               ++ and -- leave their operand alone (not in the head of a for)
    remove             a statement that calls a function or stores to what lives on: it is not done
    ignore             a status or bool that a call gives and the caller returns: as if all were well
    widen              a mask of what is allowed gets one bit more, one of what is reserved one less

Left alone: counters that only tell (STATISTICS), records, panics, assertions, declarations,
constants of the compiler.

The reader below knows as much of C as the kernel's style needs: tokens, statements, and the extent
of an operand by precedence.

SPDX-License-Identifier: BSD-2-Clause
"""
import re
from collections import namedtuple

# start, end: the span in the file; text: what stands there instead; void: the span is a statement.
Mutant = namedtuple("Mutant", "start end text operator line function void")
Token = namedtuple("Token", "kind text start end")

STATISTICS = re.compile(r"\bcounters\s*\.|\bpager_counters\b")
# Calls that change nothing but a report: without them everything goes on as before.
SILENT = {"panic", "ASSERT", "record_add", "printf", "server_print", "_Static_assert"}

# Masks defined by macros, and the bits that they must not have (widen) or must have (narrow).
WIDEN = {
    "ENTRY_LINK": ["PTE_PWT", "PTE_PCD", "PTE_D", "PTE_PS", "PTE_G", "(1ull << 40)", "(1ull << 52)", "PTE_NX"],
    "ENTRY_LARGE": ["PTE_PWT", "PTE_PCD", "PTE_G", "(1ull << 40)", "(1ull << 52)", "(1ull << 62)"],
    "ENTRY_LEAF": ["PTE_PWT", "PTE_PCD", "PTE_PS", "PTE_G", "(1ull << 40)", "(1ull << 52)", "(1ull << 62)"],
    "RIGHTS": ["PTE_P", "PTE_A", "PTE_SHARED", "PTE_FRAME"],
}
NARROW = {
    "HEAD_RARE": ["HEAD_RESERVED", "0x100ull", "0x200ull", "0x400ull", "0x8000ull"],
    "TARGET_RESERVED": ["1ull", "(1ull << 15)", "(1ull << 25)", "(1ull << 35)"],
    "ENTRY_BEYOND": ["(1ull << 40)", "(1ull << 51)"],
}

# What stands for a list of bits behind & ~.
MASK = re.compile(r"0x[0-9a-f]+(ull|u)?|[A-Z_0-9]+|[\w.>\[\]-]*(hints|rights|flags)")

TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<directive>^[ \t]*\#(?:[^\n\\]|\\\n|\\.)*)"
    r"|(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<number>\d[\w.]*)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>->|\+\+|--|<<=|>>=|\.\.\.|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])",
    re.S | re.M)

PRECEDENCE = {"*": 10, "/": 10, "%": 10, "+": 9, "-": 9, "<<": 8, ">>": 8, "<": 7, "<=": 7, ">": 7,
              ">=": 7, "==": 6, "!=": 6, "&": 5, "^": 4, "|": 3, "&&": 2, "||": 1}
ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
STOPS = ASSIGNMENTS | {"?", ":", ",", ";", "(", "[", "{", ")", "]", "}"}
COMPARE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
OPEN = {"(": ")", "[": "]", "{": "}"}
CLOSE = {close: opening for opening, close in OPEN.items()}
TYPE_WORDS = {"const", "volatile", "static", "struct", "union", "enum", "unsigned", "signed", "int", "char",
              "long", "short", "bool", "void", "inline", "extern", "register"}
KEYWORDS = TYPE_WORDS | {"if", "else", "while", "for", "do", "switch", "case", "default", "return", "break",
                         "continue", "goto", "sizeof"}


def is_type_word(text):
    """Can the word only be part of a type?"""
    return text in TYPE_WORDS or (text.endswith("_t") and text.isidentifier())


def tokens_of(text):
    """All tokens but white space, comments and directives."""
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise ValueError("no token: %r" % text[at:at + 40])
        if match.lastgroup not in ("space", "directive"):
            found.append(Token(match.lastgroup, match.group(), match.start(), match.end()))
        at = match.end()
    return found


class Reader:
    """One piece of C text and the mutants found in it."""

    def __init__(self, text, globals_known=frozenset()):
        self.text = text
        self.tokens = tokens_of(text)
        self.mutants = []
        self.function, self.returns = "", ""
        self.locals = set()
        self.globals = globals_known
        self.partner = self.match_brackets()

    def match_brackets(self):
        """Index of each bracket -> index of its partner."""
        partner, stack = {}, []
        for index, token in enumerate(self.tokens):
            if token.text in OPEN and token.kind == "operator":
                stack.append(index)
            elif token.text in CLOSE and token.kind == "operator":
                opening = stack.pop()
                partner[index], partner[opening] = opening, index
        return partner

    def word(self, index):
        """The text of a token, "" behind the end."""
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def source(self, first, end):
        """The text of the tokens first .. end - 1."""
        return self.text[self.tokens[first].start:self.tokens[end - 1].end]

    def add(self, operator, first, end, text, void=False):
        """A mutant for the tokens first .. end - 1."""
        start = self.tokens[first].start
        self.mutants.append(Mutant(start, self.tokens[end - 1].end, text, operator,
                                   self.text.count("\n", 0, start) + 1, self.function, void))

    # ---- the file: functions ----

    def read_file(self):
        """Mutants of all function bodies and of the macros listed above."""
        index = 0
        while index < len(self.tokens):
            if self.word(index) == "{":
                if self.word(index - 1) == ")":
                    self.read_function(index)
                index = self.partner[index]
            index += 1
        self.read_macros()
        return sorted(self.mutants, key=lambda m: (m.line, m.start, -m.end, m.operator, m.text))

    def read_function(self, body):
        """The function whose body opens at this token."""
        opening = self.partner[body - 1]
        self.function = self.word(opening - 1)
        first = opening - 1
        while first > 0 and self.word(first - 1) not in (";", "}"):
            first -= 1
        self.returns = " ".join(self.word(i) for i in range(first, opening - 1))
        self.locals = set(self.word(i) for i in range(opening, body)
                          if self.tokens[i].kind == "name" and self.word(i + 1) in (",", ")"))
        self.read_block(body)
        self.function = ""

    # ---- statements ----

    def read_block(self, opening):
        """All statements between two braces.  Returns the index behind them."""
        index, end = opening + 1, self.partner[opening]
        while index < end:
            index = self.read_statement(index)
        return end + 1

    def read_statement(self, index):
        """One statement.  Returns the index behind it."""
        word = self.word(index)
        if word == "{":
            return self.read_block(index)
        if word in ("if", "while", "switch", "for"):
            return self.read_headed(index)
        if word == "do":
            index = self.read_statement(index + 1)
            close = self.partner[index + 1]
            self.read_expression(index + 2, close)
            return close + 2
        if word == "else":
            return self.read_statement(index + 1)
        if word in ("case", "default"):
            while self.word(index) != ":":
                index += 1
            return index + 1
        end = self.end_of_simple(index)
        if word == "return":
            if end > index + 1:
                self.read_return(index + 1, end)
        elif word not in ("break", "continue", "goto", ";", "_Static_assert"):
            self.read_simple(index, end)
        return end + 1

    def read_headed(self, index):
        """if, while, switch, for: the head, then the statement."""
        word, opening = self.word(index), index + 1
        close = self.partner[opening]
        if word == "for":
            self.read_for(opening, close)
        else:
            if word == "if":
                self.force(opening + 1, close)
            self.read_expression(opening + 1, close, is_condition=word == "if")
        return self.read_statement(close + 1)

    def read_for(self, opening, close):
        """The step of a for is left alone: without it the loop has no end."""
        first = self.end_of_simple(opening + 1)
        self.read_simple(opening + 1, first, in_head=True)
        second = self.end_of_simple(first + 1)
        self.read_expression(first + 1, second)
        self.read_expression(second + 1, close, in_head=True)

    def end_of_simple(self, index):
        """The index of the statement's semicolon."""
        while self.word(index) != ";":
            index = self.partner[index] + 1 if self.word(index) in OPEN else index + 1
        return index

    def read_simple(self, index, end, in_head=False):
        """A declaration, or an expression as a statement."""
        if index >= end:
            return
        if self.is_declaration(index):
            self.note_names(index, end)
            if self.word(index) != "static":
                self.read_expression(index, end, in_head=in_head)
            return
        if STATISTICS.search(self.source(index, end)) or self.word(index) in SILENT:
            return
        if not in_head and self.is_removable(index, end):
            self.add("remove", index, end, "(void)0", void=True)
            if self.tokens[end - 1].text in ("++", "--") or self.word(index) in ("++", "--"):
                return # removing the statement is removing the step
        self.read_expression(index, end, in_head=in_head)

    def is_declaration(self, index):
        """Does a declaration start here?"""
        return is_type_word(self.word(index)) and self.word(index + 1) != "("

    def note_names(self, index, end):
        """Names that a declaration makes: those before =, `,` or its end, outside of brackets."""
        while index < end:
            if self.tokens[index].kind == "name" and self.word(index + 1) in ("=", ",", ";", "["):
                self.locals.add(self.word(index))
            index = self.partner[index] + 1 if self.word(index) in OPEN else index + 1

    def is_removable(self, index, end):
        """A call, a step, a store to what outlives the function, or a status that a call gives."""
        at, has_call = index, False
        while at < end and self.word(at) not in ASSIGNMENTS:
            at = self.partner[at] + 1 if self.word(at) in OPEN else at + 1
        for i in range(index, end):
            has_call |= self.tokens[i].kind == "name" and self.word(i + 1) == "(" and \
                self.word(i) not in KEYWORDS
        if at == end:
            is_step = self.word(index) in ("++", "--") or self.word(end - 1) in ("++", "--")
            return (has_call or is_step) and not self.source(index, end).startswith("(void)")
        is_local = at == index + 1 and self.word(index) in self.locals
        is_told = self.word(index) == "status" or "__atomic" in self.source(index, end)
        return not is_local or self.word(at) != "=" or (has_call and is_told)

    def read_return(self, index, end):
        """A returned bool is forced, a returned status of a call ignored."""
        literal = self.source(index, end) in ("true", "false", "NULL", "0")
        if " bool" in " " + self.returns and "*" not in self.returns and not literal:
            self.force(index, end)
        elif "status_t" in self.returns and self.is_call(index, end):
            self.add("ignore", index, end, "((%s), ST_OK)" % self.source(index, end))
        self.read_expression(index, end)

    def is_call(self, index, end):
        """Is the expression a single call?"""
        return self.tokens[index].kind == "name" and self.word(index + 1) == "(" and \
            self.partner[index + 1] == end - 1 and self.word(index) not in SILENT

    def force(self, index, end):
        """The condition is computed, but its value does not count."""
        text = self.source(index, end)
        self.add("never", index, end, "((void)(%s), 0)" % text)
        self.add("always", index, end, "((void)(%s), 1)" % text)

    # ---- expressions ----

    def read_expression(self, first, end, in_head=False, is_condition=False):
        """Operators of the tokens first .. end - 1, brackets included."""
        whole = self.bare_condition(first, end) if is_condition else (-1, -1)
        for index in range(first, end):
            token = self.tokens[index]
            if token.kind != "operator":
                continue
            if token.text == "?":
                self.force(self.extent_left(index, 0, first), index)
            elif token.text in ("++", "--") and not in_head:
                self.read_step(index, first, end)
            elif token.text in PRECEDENCE and self.is_binary(index, first):
                self.read_binary(index, first, end, whole)

    def bare_condition(self, first, end):
        """The condition without likely(), unlikely(), ! and brackets around it."""
        while True:
            if self.word(first) in ("likely", "unlikely") and self.partner.get(first + 1) == end - 1:
                first, end = first + 2, end - 1
            elif self.word(first) == "(" and self.partner[first] == end - 1:
                first, end = first + 1, end - 1
            elif self.word(first) == "!" and self.word(first + 1) == "(" and self.partner[first + 1] == end - 1:
                first, end = first + 2, end - 1
            else:
                return first, end

    def read_binary(self, index, first, end, whole):
        """One binary operator."""
        word = self.word(index)
        left = self.extent_left(index, PRECEDENCE[word], first)
        right = self.extent_right(index, PRECEDENCE[word], end)
        left_text, right_text = self.source(left, index), self.source(index + 1, right)
        if word in COMPARE:
            if not (word in ("==", "!=") and (left, right) == whole):
                self.add("compare", left, right, "(%s) %s (%s)" % (left_text, COMPARE[word], right_text))
        elif word in ("&&", "||"):
            self.add("drop", left, right, "!!(%s)" % left_text)
            if not self.is_chained(left, index, word):
                self.add("drop", left, right, "!!(%s)" % right_text)
        elif word == "|":
            self.add("drop", left, right, "(%s)" % left_text)
            if not self.is_chained(left, index, word):
                self.add("drop", left, right, "(%s)" % right_text)
        elif word == "&":
            self.read_mask(left, index, right, left_text, right_text)

    def read_mask(self, left, index, right, left_text, right_text):
        """value & mask: without the mask; of & ~mask, one bit more of it."""
        if self.word(index + 1) != "~" or not re.fullmatch(r"\(?[A-Z_0-9]+", left_text):
            self.add("drop", left, right, "(%s)" % left_text)
        if self.word(index + 1) != "~":
            return
        mask = self.source(index + 2, right)
        if MASK.fullmatch(mask) and mask not in WIDEN and mask != "PTE_W":
            self.add("widen", left, right, "(%s) & ~((%s) | ((%s) + 1))" % (left_text, mask, mask))

    def is_chained(self, left, index, word):
        """Is there the same operator, at this depth, in the left operand?"""
        while left < index:
            if self.word(left) == word and self.is_binary(left, 0):
                return True
            left = self.partner[left] + 1 if self.word(left) in OPEN else left + 1
        return False

    def read_step(self, index, first, end):
        """++ or --, before or behind its operand."""
        if index > first and self.ends_operand(index - 1):
            start, stop = self.postfix_start(index - 1, first), index
            span = (start, index + 1)
        else:
            start, stop = index + 1, self.postfix_end(index + 1, end)
            span = (index, stop)
        if not STATISTICS.search(self.source(start, stop)):
            self.add("step", span[0], span[1], "(%s)" % self.source(start, stop))

    def postfix_start(self, index, first):
        """The first token of the operand that ends at this token."""
        while True:
            if self.word(index) in (")", "]"):
                index = self.partner[index]
                if self.word(index) == "(" and self.tokens[index - 1].kind != "name":
                    return index
                index -= 1
                continue
            if index - 1 > first and self.word(index - 1) in ("->", "."):
                index -= 2
                continue
            return index

    def postfix_end(self, index, end):
        """The index behind the operand that starts at this token."""
        index = self.partner[index] + 1 if self.word(index) == "(" else index + 1
        while index < end and self.word(index) in ("->", ".", "[", "("):
            index = self.partner[index] + 1 if self.word(index) in OPEN else index + 2
        return index

    def ends_operand(self, index):
        """Can an operand end with this token?"""
        token = self.tokens[index]
        if token.text == ")":
            return not self.is_cast(index)
        if token.kind == "name":
            return token.text not in KEYWORDS
        return token.kind in ("number", "string") or token.text in ("]", "}", "++", "--")

    def is_cast(self, close):
        """Do these brackets hold a type?"""
        words = [self.word(i) for i in range(self.partner[close] + 1, close)]
        return bool(words) and words[0] != "*" and \
            all(w == "*" or is_type_word(w) or words[i - 1] in ("struct", "enum") for i, w in enumerate(words))

    def is_binary(self, index, first):
        """Is this operator one with two operands?"""
        return index > first and self.ends_operand(index - 1)

    def extent_left(self, index, precedence, first):
        """The first token of the left operand."""
        while index > first:
            before = index - 1
            word = self.word(before)
            if word in CLOSE:
                index = self.partner[before]
                continue
            if word in STOPS or word == "return":
                return index
            if word in PRECEDENCE and self.is_binary(before, first) and PRECEDENCE[word] < precedence:
                return index
            index = before
        return index

    def extent_right(self, index, precedence, end):
        """The index behind the right operand."""
        index += 1
        while index < end:
            word = self.word(index)
            if word in OPEN:
                index = self.partner[index] + 1
                continue
            if word in STOPS:
                return index
            if word in PRECEDENCE and self.is_binary(index, 0) and PRECEDENCE[word] <= precedence:
                return index
            index += 1
        return index

    # ---- macros ----

    def read_macros(self):
        """The masks of what entries and heads may hold."""
        for match in re.finditer(r"^#define[ \t]+(\w+)[ \t]+(?:\\\n)?((?:[^\n\\]|\\\n)*)", self.text, re.M):
            name, body = match.group(1), re.sub(r"/\*.*", "", match.group(2)).rstrip()
            if name not in WIDEN and name not in NARROW:
                continue
            start = match.start(2) + len(match.group(2)) - len(match.group(2).lstrip())
            body = body.strip()
            line = self.text.count("\n", 0, match.start()) + 1
            flat = body.replace("\\\n", " ")
            for form, bits in (("((%s) | %s)", WIDEN.get(name, [])), ("((%s) & ~%s)", NARROW.get(name, []))):
                for bit in bits:
                    self.mutants.append(Mutant(start, start + len(body), form % (flat, bit), "widen", line,
                                               name, False))


def find_mutants(text):
    """All mutants of a file's text, in a stable order."""
    return Reader(text).read_file()


def render(text, numbered, test):
    """The text with all mutants in it.  numbered: (number, Mutant); test: a C expression with %d.

    Spans are nested or apart; those of one span become one chain of conditions.
    """
    spans = {}
    for number, mutant in numbered:
        spans.setdefault((mutant.start, mutant.end), []).append((number, mutant))
    order = sorted(spans, key=lambda span: (span[0], -span[1]))

    def rewrite(start, end, inner):
        out, at = [], start
        while inner:
            first, rest = inner[0], inner[1:]
            own = [span for span in rest if span[0] >= first[0] and span[1] <= first[1]]
            inner = [span for span in rest if span[0] >= first[1]]
            if len(own) + len(inner) != len(rest):
                raise ValueError("spans cross: %r" % text[first[0]:first[1]])
            out.append(text[at:first[0]])
            out.append(chain(spans[first], rewrite(first[0], first[1], own)))
            at = first[1]
        return "".join(out) + text[at:end]

    def chain(mutants, original):
        void = mutants[0][1].void
        out = "(void)(%s)" % original if void else "(%s)" % original
        for number, mutant in reversed(mutants):
            out = "(%s ? %s : %s)" % (test % number, mutant.text, out)
        return out

    return rewrite(0, len(text), order)
