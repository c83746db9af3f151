#include "jpeg_scripts.h"

#include <stdbool.h>

#include "surgery.h"

#define SCANS_MAX 20

#define Y  0
#define CB 1
#define CR 2
#define END                                                                                        \
    {                                                                                              \
        0                                                                                          \
    }

/* clang-format off */
static const jpeg_scan_info usual[] = {
    {3, {Y, CB, CR}, 0, 0, 0, 1}, {1, {Y}, 1, 5, 0, 2}, {1, {CR}, 1, 63, 0, 1},
    {1, {CB}, 1, 63, 0, 1}, {1, {Y}, 6, 63, 0, 2}, {1, {Y}, 1, 63, 2, 1},
    {3, {Y, CB, CR}, 0, 0, 1, 0}, {1, {CR}, 1, 63, 1, 0}, {1, {CB}, 1, 63, 1, 0},
    {1, {Y}, 1, 63, 1, 0}, END};
static const jpeg_scan_info means_only[] = {{3, {Y, CB, CR}, 0, 0, 0, 0}, END};
static const jpeg_scan_info bands_only[] = {
    {3, {Y, CB, CR}, 0, 0, 0, 0}, {1, {Y}, 1, 2, 0, 0}, {1, {Y}, 3, 63, 0, 0},
    {1, {CB}, 1, 1, 0, 0}, {1, {CB}, 2, 63, 0, 0}, {1, {CR}, 1, 63, 0, 0}, END};
static const jpeg_scan_info each_alone[] = {
    {1, {CR}, 0, 0, 0, 2}, {1, {CR}, 1, 63, 0, 0}, {1, {Y}, 0, 0, 0, 1}, {1, {CR}, 0, 0, 2, 1},
    {1, {CB}, 0, 0, 0, 0}, {1, {Y}, 4, 20, 0, 1}, {1, {Y}, 0, 0, 1, 0}, {1, {Y}, 1, 3, 0, 3},
    {1, {CR}, 0, 0, 1, 0}, {1, {Y}, 1, 3, 3, 2}, END};
static const jpeg_scan_info in_pairs[] = {
    {2, {Y, CR}, 0, 0, 0, 1}, {1, {CB}, 0, 0, 0, 1}, {2, {CB, CR}, 0, 0, 1, 0},
    {1, {CR}, 1, 63, 0, 2}, {1, {CR}, 1, 63, 2, 1}, {1, {Y}, 0, 0, 1, 0}, {1, {CR}, 1, 9, 1, 0},
    END};
static const jpeg_scan_info bit_by_bit[] = {
    {3, {Y, CB, CR}, 0, 0, 0, 4}, {1, {CB}, 1, 2, 0, 3}, {1, {CB}, 3, 63, 0, 3},
    {1, {CB}, 1, 63, 3, 2}, {3, {Y, CB, CR}, 0, 0, 4, 3}, {1, {Y}, 1, 63, 0, 4},
    {1, {CB}, 1, 7, 2, 1}, {1, {CB}, 8, 63, 2, 1}, {3, {Y, CB, CR}, 0, 0, 3, 2},
    {1, {CB}, 1, 63, 1, 0}, {1, {Y}, 1, 63, 4, 3}, {1, {Y}, 1, 63, 3, 2},
    {3, {Y, CB, CR}, 0, 0, 2, 1}, {3, {Y, CB, CR}, 0, 0, 1, 0}, END};
/* These leave something of DC out. */
static const jpeg_scan_info unrefined[] = {
    {3, {Y, CB, CR}, 0, 0, 0, 1}, {1, {Y}, 1, 63, 0, 0}, END};
static const jpeg_scan_info one_unrefined[] = {
    {1, {Y}, 0, 0, 0, 1}, {2, {CB, CR}, 0, 0, 0, 0}, {1, {CR}, 1, 63, 0, 0}, END};
/* clang-format on */

const struct jpeg_script jpeg_scripts[JPEG_SCRIPTS] = {
    {"the usual script", usual},        {"means only", means_only},
    {"bands without bits", bands_only}, {"each component alone", each_alone},
    {"components in pairs", in_pairs},  {"one bit after the other", bit_by_bit},
    {"no refinement of DC", unrefined}, {"luma's DC not refined", one_unrefined},
};

/* The scans that are left of a script. */
static int scans_choose(const jpeg_scan_info *from, bool gray, jpeg_scan_info *to)
{
    int count = 0;
    for (; from->comps_in_scan > 0; from++) {
        if (gray && from->component_index[0] != Y)
            continue;
        to[count] = *from;
        if (gray)
            to[count].comps_in_scan = 1;
        count++;
    }
    return count;
}

struct bytes jpeg_scripted(const struct jpeg_recipe *recipe, const struct jpeg_script *script)
{
    jpeg_scan_info scans[SCANS_MAX];
    struct jpeg_recipe scripted = *recipe;
    scripted.scan_count = scans_choose(script->scans, recipe->components == 1, scans);
    scripted.scans = scans;
    return jpeg_made(&scripted);
}

size_t jpeg_scan_at(struct bytes jpeg, unsigned number)
{
    size_t at = jpeg_marker_at(jpeg, 0xda);
    for (; number > 0; number--) {
        at = jpeg_scan_end(jpeg, at);
        while (jpeg.data[at + 1] != 0xda)
            at += 2 + ((size_t)jpeg.data[at + 2] << 8 | jpeg.data[at + 3]);
    }
    return at;
}
