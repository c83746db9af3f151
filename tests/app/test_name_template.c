#include "app/name_template_priv.h"

#include <errno.h>
#include <string.h>

#include "isolate.h"

static void what_a_template_gives(void **state)
{
    (void)state;
    static const struct {
        const char *template, *dir, *name, *jpeg, *png;
    } rows[] = {
        {"{dir}/{name}", "a/b", "c.jpg", "a/b/c.jpg", "a/b/c.jpg.png"},
        {"{dir}/{name}", "", "c.jpg", "c.jpg", "c.jpg.png"},
        {"{dir}/{stem}.{ext}", "a", "c.png", "a/c.jpg", "a/c.png"},
        {"{dir}/{stem}.{ext}", "a", "c.JPEG", "a/c.JPEG", "a/c.png"},
        {"{stem}", "a", "c.d.heic", "c.d.jpg", "c.d.png"},
        {"{stem}_{size}.{ext}", "a", "c.png", "c_100x75.jpg", "c_100x75.png"},
        {"{name}.JPE", "", "c", "c.JPE", "c.JPE.png"},
        {"x//{dir}///{name}", "", "c.jpg", "x/c.jpg", "x/c.jpg.png"},
        {"x/{dir}/y/{name}", "a/b", "c.jpg", "x/a/b/y/c.jpg", "x/a/b/y/c.jpg.png"},
        {"{{{stem}}}", "", "c.jpg", "{c}.jpg", "{c}.png"},
        {"{{}}", "", "c.jpg", "{}.jpg", "{}.png"},
        {"{dir}", "a/b", "c.jpg", "a/b.jpg", "a/b.png"},
        {"{stem}", "", "..jpg", "..jpg", "..png"}, /* "." alone would be no name */
        {"{name}", "", ".jpg", ".jpg.jpg", ".jpg.png"},
        {"{stem}", "", "c.", "c..jpg", "c..png"},
        {"{ext}/{name}", "", "c.gif", "jpg/c.gif.jpg", "png/c.gif.png"},
        {"{hash}", "", "c", "ba7816bf8f01cfea.jpg", "ba7816bf8f01cfea.png"},
        {"\xff{name}", "", "\xfe\n", "\xff\xfe\n.jpg", "\xff\xfe\n.png"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct name_parts parts = {.dir = rows[i].dir,
                                         .name = rows[i].name,
                                         .source = "abc",
                                         .box_width_px = 100,
                                         .box_height_px = 75};
        struct text path = TEXT_INIT, why = TEXT_INIT;
        assert_int_equal(name_template_check(rows[i].template, &why), 0);
        assert_int_equal(
            name_template_apply(rows[i].template, &parts, IMG_FORMAT_JPEG, &path, &why), 0);
        assert_string_equal(text_string(&path), rows[i].jpeg);
        text_cut(&path, 0);
        assert_int_equal(name_template_apply(rows[i].template, &parts, IMG_FORMAT_PNG, &path, &why),
                         0);
        assert_string_equal(text_string(&path), rows[i].png);
        assert_string_equal(text_string(&why), "");
        text_done(&path);
    }
}

static void a_square_box_is_one_number(void **state)
{
    (void)state;
    const struct name_parts parts = {
        .dir = "", .name = "a", .source = "/a", .box_width_px = 256, .box_height_px = 256};
    struct text path = TEXT_INIT, why = TEXT_INIT;
    assert_int_equal(name_template_apply("{size}", &parts, IMG_FORMAT_JPEG, &path, &why), 0);
    assert_string_equal(text_string(&path), "256.jpg");
    text_done(&path);
}

static void templates_that_can_give_nothing_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *template, *words;
    } rows[] = {
        {"", "empty"},
        {"{nmae}", "'{nmae}' is no field; the nearest is '{name}'"},
        {"{}", "is no field"},
        {"{name", "a '{' has no '}'"},
        {"{na{me}", "a '{' has no '}'"},
        {"{name}}", "a '}' has no '{'"},
        {"}", "a '}' has no '{'"},
        {"/{name}", "not one from the root folder on"},
        {"//x", "not one from the root folder on"},
        {"..", "'..' is no folder"},
        {".", "'.' is no folder"},
        {"../{name}", "'..' is no folder"},
        {"{dir}/./{name}", "'.' is no folder"},
        {"{dir}/../{name}", "'..' is no folder"},
        {"{dir}/", "after the last slash"},
        {"a//", "after the last slash"},
        {"{\x1b[2J}", "'{\\x1b[2J}' is no field"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text why = TEXT_INIT;
        assert_int_equal(name_template_check(rows[i].template, &why), -EINVAL);
        if (!strstr(text_string(&why), rows[i].words))
            fail_msg("'%s': %s", rows[i].template, text_string(&why));
        text_done(&why);
    }
}

static void names_that_only_a_file_makes_bad_are_refused_for_it(void **state)
{
    (void)state;
    static const struct {
        const char *template, *dir, *name, *source, *words;
    } rows[] = {
        {"{dir}", "", "c.jpg", "/c.jpg", "empty"},
        {"{stem}/x", "", "..jpg", "/..jpg", "'.' is no folder"},
        {"{hash}", "", "c.jpg", "", "not known"},
        {"{dir}./{name}", "", "c.jpg", "/c.jpg", "'.' is no folder"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct name_parts parts = {
            .dir = rows[i].dir, .name = rows[i].name, .source = rows[i].source};
        struct text path = TEXT_INIT, why = TEXT_INIT;
        assert_int_equal(name_template_check(rows[i].template, &why), 0);
        assert_int_equal(
            name_template_apply(rows[i].template, &parts, IMG_FORMAT_JPEG, &path, &why), -EINVAL);
        if (!strstr(text_string(&why), rows[i].words))
            fail_msg("'%s': %s", rows[i].template, text_string(&why));
        text_done(&path);
        text_done(&why);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case tests[] = {
        TEST(what_a_template_gives),
        TEST(a_square_box_is_one_number),
        TEST(templates_that_can_give_nothing_are_refused),
        TEST(names_that_only_a_file_makes_bad_are_refused_for_it),
    };
    return test_run("app name_template", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
