/* walks.h: a PATH to walk, for the tests of what walks. */
#ifndef TESTS_APP_WALKS_H
#define TESTS_APP_WALKS_H

#include "app/inputs_priv.h"

/** Go to test_scratch() and take path as the only PATH; fails the test if that cannot be.
 *  Owned: inputs_free(). */
struct inputs *inputs_of(const char *path);

#endif
