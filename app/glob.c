/* glob.c: see glob_priv.h.
 *
 * A pattern becomes a row of tokens. It is matched by keeping the set of all tokens that the next
 * byte may belong to, so a byte is looked at once for each token at most and nothing is ever tried
 * again: patterns such as a*a*a*b cost no more than others. The end of the row is a member of the
 * set like a token; when it is in it after the last byte, the path matches. */
#include "glob_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64

enum token_kind {
    TOKEN_BYTE,
    TOKEN_ANY,     /* ? */
    TOKEN_SET,     /* [...] */
    TOKEN_STAR,    /* any bytes but slashes, or none */
    TOKEN_ALL,     /* any bytes, or none */
    TOKEN_FOLDERS, /* nothing, or any bytes with a slash at the end */
};

struct token {
    unsigned char kind;
    unsigned char byte;
    uint32_t set; /* index */
};

struct byte_set {
    uint64_t bits[256 / WORD_BITS];
};

struct glob {
    bool include;
    bool negated;
    bool folders_only;
    bool anywhere; /* the name alone is matched */
    bool nothing;  /* it makes no sense */
    struct token *tokens;
    size_t count;
    struct byte_set *sets;
    size_t set_count;
};

struct globs {
    struct glob *list;
    size_t count;
    bool has_include;
    uint64_t *now, *next; /* sets of tokens, as large as the longest pattern needs */
    uint64_t steps;
};

/* ---- Reading a pattern ---------------------------------------------------------------------- */

static void set_add(struct byte_set *set, unsigned char byte)
{
    set->bits[byte / WORD_BITS] |= UINT64_C(1) << byte % WORD_BITS;
}

static bool set_has(const struct byte_set *set, unsigned char byte)
{
    return set->bits[byte / WORD_BITS] >> byte % WORD_BITS & 1;
}

static bool is_between(unsigned char byte, unsigned char first, unsigned char last)
{
    return byte >= first && byte <= last;
}

/* Not by <ctype.h>, which follows the locale. */
static bool class_has(const char *name, size_t length, unsigned char byte, bool *ret_known)
{
    static const char *const names[] = {"alnum", "alpha", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "xdigit"};
    const bool lower = is_between(byte, 'a', 'z'), upper = is_between(byte, 'A', 'Z');
    const bool digit = is_between(byte, '0', '9'), graph = is_between(byte, 0x21, 0x7e);
    const bool has[] = {lower || upper || digit,
                        lower || upper,
                        byte == ' ' || byte == '\t',
                        byte < 0x20 || byte == 0x7f,
                        digit,
                        graph,
                        lower,
                        graph || byte == ' ',
                        graph && !(lower || upper || digit),
                        byte == ' ' || is_between(byte, '\t', '\r'),
                        upper,
                        digit || is_between(byte | 0x20, 'a', 'f')};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
            *ret_known = true;
            return has[i];
        }
    }
    *ret_known = false;
    return false;
}

/* "[:name:]" at `at`: all of it into set. Returns where it ends, NULL if there is no such class, or
 * at itself if it is none at all. */
static const char *read_class(const char *at, const char *end, struct byte_set *set)
{
    const char *name = at + 2;
    const char *close = name < end ? memchr(name, ']', (size_t)(end - name)) : NULL;
    bool known = false;
    if (!close)
        return NULL;
    if (close == name || close[-1] != ':')
        return at;
    for (unsigned byte = 0; byte < 256; byte++)
        if (class_has(name, (size_t)(close - 1 - name), (unsigned char)byte, &known))
            set_add(set, (unsigned char)byte);
    return known ? close + 1 : NULL;
}

/* One byte, which may have a backslash before it. NULL: the pattern ends too early. */
static const char *read_byte(const char *at, const char *end, unsigned char *ret_byte)
{
    at += at < end && *at == '\\';
    if (at >= end)
        return NULL;
    *ret_byte = (unsigned char)*at;
    return at + 1;
}

/* What is between the brackets; at is behind the first. Returns where the pattern goes on, NULL if
 * it makes no sense. A slash is in no set. */
static const char *read_set(const char *at, const char *end, struct byte_set *set)
{
    const bool negated = at < end && (*at == '!' || *at == '^');
    const char *first = at += negated;
    int before = -1; /* the byte that a range may begin with */
    while (at && (at >= end || at == first || *at != ']')) {
        unsigned char byte = 0;
        if (at >= end)
            return NULL;
        if (*at == '-' && before > 0 && end - at > 1 && at[1] != ']') {
            at = read_byte(at + 1, end, &byte);
            for (int i = before; at && i <= byte; i++)
                set_add(set, (unsigned char)i);
            before = -1;
            continue;
        }
        if (*at == '[' && end - at > 1 && at[1] == ':') {
            const char *after = read_class(at, end, set);
            if (after != at) {
                at = after;
                before = -1;
                continue;
            }
        }
        at = read_byte(at, end, &byte);
        if (!at)
            return NULL;
        set_add(set, byte);
        before = byte;
    }
    if (!at)
        return NULL;
    for (size_t i = 0; negated && i < sizeof(set->bits) / sizeof(set->bits[0]); i++)
        set->bits[i] = ~set->bits[i];
    set->bits['/' / WORD_BITS] &= ~(UINT64_C(1) << '/' % WORD_BITS);
    return at + 1;
}

static void add_token(struct glob *glob, enum token_kind kind, unsigned char byte)
{
    glob->tokens[glob->count++] =
        (struct token){.kind = (unsigned char)kind, .byte = byte, .set = (uint32_t)glob->set_count};
}

/* A run of asterisks; begin: of the pattern. Returns where the pattern goes on. */
static const char *read_stars(struct glob *glob, const char *begin, const char *at, const char *end)
{
    const char *after = at;
    while (after < end && *after == '*')
        after++;
    const bool starts = at == begin || at[-1] == '/';
    if (after - at > 1 && !glob->anywhere && starts) {
        if (after < end && *after == '/') {
            add_token(glob, TOKEN_FOLDERS, 0);
            return after + 1;
        }
        /* With a backslash before the slash there must be a folder at least. */
        if (after == end || (*after == '\\' && end - after > 1 && after[1] == '/')) {
            add_token(glob, TOKEN_ALL, 0);
            return after;
        }
    }
    add_token(glob, TOKEN_STAR, 0);
    return after;
}

/* Returns where the pattern goes on, or NULL if it makes no sense. */
static const char *read_token(struct glob *glob, const char *begin, const char *at, const char *end)
{
    unsigned char byte;
    if (*at == '*')
        return read_stars(glob, begin, at, end);
    if (*at == '?') {
        add_token(glob, TOKEN_ANY, 0);
        return at + 1;
    }
    if (*at == '[') {
        add_token(glob, TOKEN_SET, 0);
        return read_set(at + 1, end, &glob->sets[glob->set_count++]);
    }
    at = read_byte(at, end, &byte);
    if (at)
        add_token(glob, TOKEN_BYTE, byte);
    return at;
}

/* glob: zero; on failure what it has got is the caller's to release. */
static int glob_read(struct glob *glob, const struct options_glob *from)
{
    const char *at = from->pattern;
    glob->include = from->include;
    glob->negated = *at == '!';
    at += glob->negated;
    const char *end = at + strlen(at);
    glob->folders_only = end > at && end[-1] == '/';
    end -= glob->folders_only;
    glob->anywhere = !memchr(at, '/', (size_t)(end - at));
    at += at < end && *at == '/';
    size_t brackets = 0;
    for (const char *c = at; c < end; c++)
        brackets += *c == '[';
    glob->tokens = calloc((size_t)(end - at) + 1, sizeof(*glob->tokens));
    glob->sets = calloc(brackets + 1, sizeof(*glob->sets));
    if (!glob->tokens || !glob->sets)
        return -ENOMEM;
    for (const char *begin = at; at && at < end;)
        at = read_token(glob, begin, at, end);
    glob->nothing = !at;
    return 0;
}

static void glob_done(struct glob *glob)
{
    free(glob->tokens);
    free(glob->sets);
}

int globs_create(const struct options_glob *list, size_t count, struct globs **ret_globs)
{
    size_t longest = 0;
    if (count == 0) {
        *ret_globs = NULL;
        return 0;
    }
    struct globs *globs = calloc(1, sizeof(*globs));
    if (!globs)
        return -ENOMEM;
    globs->list = calloc(count, sizeof(*globs->list));
    int r = globs->list ? 0 : -ENOMEM;
    for (size_t i = 0; i < count && r == 0; i++) {
        globs->count = i + 1;
        r = glob_read(&globs->list[i], &list[i]);
        globs->has_include |= list[i].include;
        if (globs->list[i].count > longest)
            longest = globs->list[i].count;
    }
    globs->now = calloc(longest / WORD_BITS + 1, sizeof(*globs->now));
    globs->next = calloc(longest / WORD_BITS + 1, sizeof(*globs->next));
    if (r < 0 || !globs->now || !globs->next) {
        globs_free(globs);
        return -ENOMEM;
    }
    *ret_globs = globs;
    return 0;
}

struct globs *globs_free(struct globs *globs)
{
    if (!globs)
        return NULL;
    for (size_t i = 0; i < globs->count; i++)
        glob_done(&globs->list[i]);
    free(globs->list);
    free(globs->now);
    free(globs->next);
    free(globs);
    return NULL;
}

/* ---- Matching ------------------------------------------------------------------------------- */

/* The token may get the next byte; and what comes after it, if it can do without any. */
static void expect(const struct glob *glob, uint64_t *set, size_t token)
{
    for (;; token++) {
        set[token / WORD_BITS] |= UINT64_C(1) << token % WORD_BITS;
        if (token == glob->count || glob->tokens[token].kind < TOKEN_STAR)
            return;
    }
}

/* Give the token that byte. */
static void step(const struct glob *glob, uint64_t *next, size_t token, unsigned char byte)
{
    const struct token *is = &glob->tokens[token];
    switch ((enum token_kind)is->kind) {
    case TOKEN_BYTE:
        if (byte == is->byte)
            expect(glob, next, token + 1);
        return;
    case TOKEN_ANY:
        if (byte != '/')
            expect(glob, next, token + 1);
        return;
    case TOKEN_SET:
        if (set_has(&glob->sets[is->set], byte))
            expect(glob, next, token + 1);
        return;
    case TOKEN_STAR:
        if (byte != '/')
            expect(glob, next, token);
        return;
    case TOKEN_ALL:
        expect(glob, next, token);
        return;
    case TOKEN_FOLDERS: /* only a slash lets the rest begin */
        next[token / WORD_BITS] |= UINT64_C(1) << token % WORD_BITS;
        if (byte == '/')
            expect(glob, next, token + 1);
        return;
    }
}

/* Give the pattern a piece of the path. Returns false when it cannot match any more. */
static bool feed(struct globs *globs, const struct glob *glob, const char *bytes, size_t length)
{
    const size_t words = glob->count / WORD_BITS + 1;
    for (size_t i = 0; i < length; i++) {
        uint64_t left_over = 0;
        memset(globs->next, 0, words * sizeof(*globs->next));
        for (size_t word = 0; word < words; word++) {
            for (uint64_t bits = globs->now[word]; bits; bits &= bits - 1) {
                const size_t token = word * WORD_BITS + (size_t)__builtin_ctzll(bits);
                globs->steps++;
                if (token < glob->count)
                    step(glob, globs->next, token, (unsigned char)bytes[i]);
            }
        }
        uint64_t *const swap = globs->now;
        globs->now = globs->next;
        globs->next = swap;
        for (size_t word = 0; word < words; word++)
            left_over |= globs->now[word];
        if (!left_over)
            return false;
    }
    return true;
}

static bool matches(struct globs *globs, const struct glob *glob, const char *folder,
                    const char *name, bool is_folder)
{
    if (glob->nothing || (glob->folders_only && !is_folder))
        return false;
    memset(globs->now, 0, (glob->count / WORD_BITS + 1) * sizeof(*globs->now));
    expect(glob, globs->now, 0);
    if (!glob->anywhere && folder[0] != '\0' &&
        (!feed(globs, glob, folder, strlen(folder)) || !feed(globs, glob, "/", 1)))
        return false;
    return feed(globs, glob, name, strlen(name)) &&
           globs->now[glob->count / WORD_BITS] >> glob->count % WORD_BITS & 1;
}

/* The number, from 1, of the last pattern of a kind that matches; 0: none after `least`. */
static size_t last_match(struct globs *globs, bool include, size_t least, const char *folder,
                         const char *name, bool is_folder)
{
    for (size_t i = globs->count; i > least; i--)
        if (globs->list[i - 1].include == include &&
            matches(globs, &globs->list[i - 1], folder, name, is_folder))
            return i;
    return 0;
}

enum globs_verdict globs_judge(struct globs *globs, const char *folder, const char *name,
                               bool is_folder, size_t included, size_t *ret_included)
{
    if (!globs)
        return GLOBS_LEFT_IN;
    size_t last = last_match(globs, false, 0, folder, name, is_folder);
    if (last > 0 && !globs->list[last - 1].negated)
        return GLOBS_EXCLUDED;
    if (!globs->has_include)
        return GLOBS_LEFT_IN;
    last = last_match(globs, true, included, folder, name, is_folder);
    if (last == 0)
        last = included;
    if (ret_included)
        *ret_included = last;
    const bool is_in = last > 0 && !globs->list[last - 1].negated;
    return is_in || is_folder ? GLOBS_LEFT_IN : GLOBS_NOT_INCLUDED;
}

const char *globs_why(enum globs_verdict verdict)
{
    switch (verdict) {
    case GLOBS_LEFT_IN:
        break;
    case GLOBS_EXCLUDED:
        return "excluded";
    case GLOBS_NOT_INCLUDED:
        return "not included";
    }
    return NULL;
}

uint64_t globs_steps(const struct globs *globs)
{
    return globs ? globs->steps : 0;
}
