#include "app/glob_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "isolate.h"

#define PATTERNS_MAX 8

/* What becomes of a path, with every folder on the way to it. A slash at its end: a folder. */
static enum globs_verdict judge(struct globs *globs, const char *path)
{
    char *copy = keep(strdup(path));
    const size_t length = strlen(copy);
    const bool is_folder = length > 0 && copy[length - 1] == '/';
    size_t included = 0;
    if (is_folder)
        copy[length - 1] = '\0';
    char *folder = keep(strdup(""));
    char *name = copy;
    for (;;) {
        char *slash = strchr(name, '/');
        if (!slash)
            return globs_judge(globs, folder, name, is_folder, included, &included);
        *slash = '\0';
        if (globs_judge(globs, folder, name, true, included, &included) != GLOBS_LEFT_IN)
            return GLOBS_EXCLUDED;
        folder = keep(strdup(copy));
        *slash = '/';
        name = slash + 1;
    }
}

static struct globs *globs_of(const char *const *patterns)
{
    struct options_glob list[PATTERNS_MAX];
    struct globs *globs = NULL;
    size_t count = 0;
    for (; patterns[count]; count++) { /* "+pattern" is an --include */
        const bool include = patterns[count][0] == '+';
        list[count] = (struct options_glob){patterns[count] + include, include};
    }
    assert_int_equal(globs_create(list, count, &globs), 0);
    return globs;
}

static bool is_excluded(const char *pattern, const char *path)
{
    const char *const patterns[] = {pattern, NULL};
    struct globs *globs = globs_of(patterns);
    const bool excluded = judge(globs, path) == GLOBS_EXCLUDED;
    globs_free(globs);
    return excluded;
}

static void patterns_mean_what_they_mean_in_a_gitignore(void **state)
{
    (void)state;
    static const struct {
        const char *label, *pattern, *matches, *does_not;
    } rows[] = {
        {"a name is found anywhere", "a", "x/y/a", "x/ab"},
        {"what is in a folder goes with it", "a", "a/b/c", "b/c"},
        {"a slash in the middle holds it to the PATH", "a/b", "a/b", "x/a/b"},
        {"so does one in front", "/a", "a", "x/a"},
        {"one at the end asks for a folder", "a/", "a/x", "a"},
        {"and holds it nowhere", "a/", "x/a/", "x/a"},
        {"a star stays within a name", "x/*/b", "x/y/b", "x/y/z/b"},
        {"a star may stand for nothing", "a*b", "ab", "a"},
        {"a star matches a dot in front", "*", ".a", ""},
        {"a question mark is one byte", "a?c", "abc", "ac"},
        {"and no slash", "x/a?c", "x/abc", "x/a/c"},
        {"two stars in front are any folders", "**/b", "x/y/b", "x/yb"},
        {"or none", "**/b", "b", "xb"},
        {"two stars at the end are all below", "a/**", "a/x/y", "a"},
        {"two stars between are any folders", "a/**/b", "a/x/y/b", "x/a/b"},
        {"or none there", "a/**/b", "a/b", "a/xb"},
        {"two stars elsewhere are one", "x/a**b", "x/ayb", "x/a/b"},
        {"after a literal name too", "xa**/b", "xay/b", "xa/y/b"},
        {"a set", "[ab]c", "bc", "cc"},
        {"a range", "[b-d]", "c", "e"},
        {"a set turned round", "[!ab]c", "cc", "bc"},
        {"the other way to say it", "[^ab]c", "cc", "bc"},
        {"a bracket may come first", "[]a]", "]", "b"},
        {"also after the turn", "[!]a]", "b", "]"},
        {"a minus may come last", "[a-]", "-", "b"},
        {"a backslash in a set", "[\\]x]", "]", "\\"},
        {"a range to an escaped end", "[a-\\c]", "b", "-"},
        {"a class", "[[:digit:]x]", "7", ":"},
        {"what only begins like a class", "[[:x]", ":", "y"},
        {"no set holds a slash", "x[!a]y", "xby", "x/y"},
        {"a range holds none either", "a[+-9]b", "a.b", "a/b"},
        {"a backslash takes the meaning away", "\\*", "*", "a"},
        {"from a turn too", "\\!a", "!a", "a"},
        {"a hash means nothing", "#a", "#a", "a"},
        {"blanks at the end count", "a ", "a ", "a"},
        {"bytes that are no text", "\xff?", "\xff\xfe", "\xff"},
        {"a range of bytes", "[\x80-\xff]", "\xc3", "a"},
        {"a set that never ends is nothing", "[a", "\n", "[a"},
        {"nor is an unknown class", "[[:dogs:]]", "\n", "d"},
        {"nor a backslash at the end", "a\\", "\n", "a\\"},
        {"nor a slash alone", "/", "\n", "a"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].matches[0] != '\n' && !is_excluded(rows[i].pattern, rows[i].matches))
            fail_msg("%s: '%s' does not match", rows[i].label, rows[i].matches);
        if (rows[i].does_not[0] && is_excluded(rows[i].pattern, rows[i].does_not))
            fail_msg("%s: '%s' matches", rows[i].label, rows[i].does_not);
    }
}

static void the_last_pattern_decides_and_excluded_folders_are_closed(void **state)
{
    (void)state;
    static const char *const patterns[] = {"*.png", "!keep.png", "/raw/", "!raw/good.png", NULL};
    struct globs *globs = globs_of(patterns);
    assert_int_equal(judge(globs, "a.png"), GLOBS_EXCLUDED);
    assert_int_equal(judge(globs, "x/keep.png"), GLOBS_LEFT_IN);
    assert_int_equal(judge(globs, "raw/good.png"), GLOBS_EXCLUDED); /* its folder is not entered */
    assert_int_equal(judge(globs, "x/raw/good.jpg"), GLOBS_LEFT_IN);
    globs_free(globs);
    static const char *const other[] = {"!keep.png", "*.png", NULL};
    globs = globs_of(other);
    assert_int_equal(judge(globs, "keep.png"), GLOBS_EXCLUDED);
    globs_free(globs);
}

static void includes_leave_all_else_out_and_excludes_win(void **state)
{
    (void)state;
    static const char *const patterns[] = {"+*.jpg", "+/2020/", "*.tmp.jpg", "+!x.jpg", NULL};
    struct globs *globs = globs_of(patterns);
    assert_int_equal(judge(globs, "a.jpg"), GLOBS_LEFT_IN);
    assert_int_equal(judge(globs, "deep/er/a.jpg"), GLOBS_LEFT_IN);
    assert_int_equal(judge(globs, "a.png"), GLOBS_NOT_INCLUDED);
    assert_int_equal(judge(globs, "2020/in/a.png"), GLOBS_LEFT_IN); /* a folder above it matches */
    assert_int_equal(judge(globs, "2021/2020/a.png"), GLOBS_NOT_INCLUDED);
    assert_int_equal(judge(globs, "a.tmp.jpg"), GLOBS_EXCLUDED);
    assert_int_equal(judge(globs, "2020/x.jpg"), GLOBS_NOT_INCLUDED); /* a later pattern says no */
    assert_int_equal(judge(globs, "any/folder/"), GLOBS_LEFT_IN);
    globs_free(globs);
    static const char *const again[] = {"+*.jpg", "+!/raw/", "+/raw/good/", NULL};
    globs = globs_of(again);
    assert_int_equal(judge(globs, "raw/a.jpg"), GLOBS_NOT_INCLUDED);
    assert_int_equal(judge(globs, "raw/good/a.png"), GLOBS_LEFT_IN);
    globs_free(globs);
    assert_null(globs_why(GLOBS_LEFT_IN));
    assert_string_equal(globs_why(GLOBS_EXCLUDED), "excluded");
    assert_string_equal(globs_why(GLOBS_NOT_INCLUDED), "not included");
}

static void without_patterns_all_is_left_in(void **state)
{
    (void)state;
    struct globs *globs = (struct globs *)state;
    assert_int_equal(globs_create(NULL, 0, &globs), 0);
    assert_null(globs);
    assert_int_equal(globs_judge(globs, "a", "b", false, 0, NULL), GLOBS_LEFT_IN);
    assert_true(globs_steps(globs) == 0);
    assert_null(globs_free(NULL));
}

/* No more than a step for each byte and each part of the pattern. */
static void no_pattern_takes_more_than_its_length_times_the_path(void **state)
{
    (void)state;
    enum { STARS = 200, LENGTH = 4000 };
    static const char *const pieces[] = {"a*", "*a", "?*", "**/", "[ab]*", "**/*a/"};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        const size_t each = strlen(pieces[i]);
        char *pattern = keep(calloc(1, STARS * each + 2)), *name = keep(calloc(1, LENGTH + 1));
        char *folder = keep(calloc(1, LENGTH + 1));
        for (size_t k = 0; k < STARS; k++)
            memcpy(pattern + k * each, pieces[i], each);
        strcat(pattern, "b");
        memset(name, 'a', LENGTH);
        for (size_t k = 0; k < LENGTH; k++)
            folder[k] = k % 2 && k + 1 < LENGTH ? '/' : 'a';
        const char *const patterns[] = {pattern, NULL};
        struct globs *globs = globs_of(patterns);
        assert_int_equal(globs_judge(globs, folder, name, false, 0, NULL), GLOBS_LEFT_IN);
        assert_true(globs_steps(globs) > 0);
        assert_true(globs_steps(globs) <=
                    (uint64_t)(STARS * each + 2) * (uint64_t)(2 * LENGTH + 1));
        globs_free(globs);
    }
}

/* ---- Beside git ----------------------------------------------------------------------------- */

enum { LISTS = 150, TREE_FILES = 60 };

static uint32_t chance;

static uint32_t draw(uint32_t below)
{
    chance = chance * UINT32_C(1664525) + UINT32_C(1013904223);
    return (chance >> 8) % below;
}

/* Run git in the scratch folder "repository", with files as standard input and output; -1 if there
 * is none. */
static int run_git(const char *const *args, const char *in, const char *out)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const char *argv[16] = {"git", "-c", "core.excludesFile=/dev/null"};
        for (size_t i = 0; args[i]; i++)
            argv[i + 3] = args[i];
        const int in_fd = open(in, O_RDONLY | O_CLOEXEC);
        const int out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || chdir(scratch("repository")) < 0 ||
            setenv("HOME", test_scratch(), 1) < 0 || setenv("GIT_CONFIG_NOSYSTEM", "1", 1) < 0 ||
            unsetenv("GIT_DIR") < 0 || unsetenv("XDG_CONFIG_HOME") < 0)
            _exit(126);
        execvp("git", (char **)argv);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 127 ? -1 : WEXITSTATUS(status);
}

static const char *make_pattern(void)
{
    static const char *const pieces[] = {
        "a",     "b",  "c",     "*",    "*",       "?",  "**/", "/",           "/",       "/**",
        "[ab]",  "**", "[a-c]", "[!a]", "[^b-c]",  ".",  "-",   "\\a",         "\\*",     "[]a]",
        "[\\]]", "ab", "[a",    "\xff", "[!\xff]", "*a", "b*",  "[[:alpha:]]", "[[:x:]]", "\\"};
    char *pattern = keep(calloc(1, 128));
    const uint32_t count = 1 + draw(5);
    strcat(pattern, draw(4) == 0 ? "!" : "");
    strcat(pattern, draw(5) == 0 ? "/" : "");
    for (uint32_t i = 0; i < count; i++)
        strcat(pattern, pieces[draw(sizeof(pieces) / sizeof(pieces[0]))]);
    strcat(pattern, draw(4) == 0 ? "/" : "");
    return pattern;
}

/* Two stars right after a literal name are taken for folders by some versions of git, against its
 * own manual. */
static bool is_disputed(const char *pattern)
{
    const char *at = pattern + (*pattern == '!');
    const char *special = at + strcspn(at, "*?[\\");
    return special != at && special[0] == '*' && special[1] == '*' && special[-1] != '/';
}

/* A tree of files and folders; their paths are written to "paths", each with a NUL behind it. */
static size_t make_tree(char **ret_paths)
{
    static const char *const names[] = {"a",  "b",   "ab", "ba",   "abc", "a.b", ".a",
                                        "c-", "a*b", "[a", "\xff", "*",   "]",   "aab"};
    size_t count = 0;
    make_folder(scratch("repository"));
    FILE *list = fopen(scratch("paths"), "we");
    assert_non_null(list);
    while (count < TREE_FILES) {
        char below[256] = "";
        for (uint32_t depth = draw(4); depth > 0; depth--) {
            strcat(below, names[draw(sizeof(names) / sizeof(names[0]))]);
            strcat(below, "/");
        }
        strcat(below, names[draw(sizeof(names) / sizeof(names[0]))]);
        if (draw(4) == 0)
            strcat(below, "/"); /* a folder */
        struct stat st;
        bool in_the_way = lstat(scratch("repository/%s", below), &st) == 0;
        for (char *slash = strchr(below, '/'); slash && !in_the_way;
             slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            in_the_way = lstat(scratch("repository/%s", below), &st) == 0 && !S_ISDIR(st.st_mode);
            *slash = '/';
        }
        if (in_the_way)
            continue;
        char *slash = strrchr(below, '/');
        if (slash) {
            *slash = '\0';
            make_folder(scratch("repository/%s", below));
            *slash = '/';
        }
        if (!slash || slash[1] != '\0')
            write_text(scratch("repository/%s", below), "");
        ret_paths[count++] = keep(strdup(below));
        if (slash && slash[1] == '\0') /* git looks for itself what is a folder */
            *slash = '\0';
        fwrite(below, 1, strlen(below) + 1, list);
    }
    fclose(list);
    return count;
}

/* Is the path among those, but for a slash at its end? */
static bool has_path(const char *paths, size_t size_bytes, const char *path)
{
    size_t length = strlen(path);
    length -= path[length - 1] == '/';
    for (const char *at = paths; at < paths + size_bytes; at += strlen(at) + 1)
        if (strlen(at) == length && memcmp(at, path, length) == 0)
            return true;
    return false;
}

static void thousands_of_pairs_are_judged_as_git_judges_them(void **state)
{
    (void)state;
    static const char *const init[] = {"init", "-q", ".", NULL};
    static const char *const check[] = {"check-ignore", "--no-index", "-z", "--stdin", NULL};
    char *paths[TREE_FILES];
    unsigned excluded = 0, disagreements = 0;
    chance = 7;
    const size_t count = make_tree(paths);
    if (run_git(init, "/dev/null", "/dev/null") != 0) {
        printf("skipped: git is not installed\n");
        skip();
    }
    for (int list = 0; list < LISTS; list++) {
        const char *patterns[PATTERNS_MAX] = {NULL};
        size_t wanted = 1 + draw(4), got = 0;
        FILE *file = fopen(scratch("repository/.gitignore"), "we");
        assert_non_null(file);
        while (got < wanted) {
            const char *pattern = make_pattern();
            if (is_disputed(pattern))
                continue;
            patterns[got++] = pattern;
            fprintf(file, "%s\n", pattern);
        }
        fclose(file);
        assert_true(run_git(check, scratch("paths"), scratch("ignored")) >= 0);
        size_t size_bytes;
        const char *ignored = read_file(scratch("ignored"), &size_bytes);
        struct globs *globs = globs_of(patterns);
        for (size_t i = 0; i < count; i++) {
            const bool theirs = has_path(ignored, size_bytes, paths[i]);
            const bool ours = judge(globs, paths[i]) == GLOBS_EXCLUDED;
            excluded += theirs;
            if (ours == theirs)
                continue;
            disagreements++;
            printf("'%s': git says %d, we say %d; patterns:", paths[i], theirs, ours);
            for (size_t k = 0; k < got; k++)
                printf(" '%s'", patterns[k]);
            printf("\n");
        }
        globs_free(globs);
    }
    assert_int_equal(disagreements, 0);
    assert_true(excluded > 500 && excluded < (unsigned)(LISTS * count) - 500);
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(patterns_mean_what_they_mean_in_a_gitignore),
        TEST(the_last_pattern_decides_and_excluded_folders_are_closed),
        TEST(includes_leave_all_else_out_and_excludes_win),
        TEST(without_patterns_all_is_left_in),
        TEST(no_pattern_takes_more_than_its_length_times_the_path),
        TEST_LONG(thousands_of_pairs_are_judged_as_git_judges_them, 60000),
    };
    return test_run("app glob", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
