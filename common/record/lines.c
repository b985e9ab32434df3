/* Counting lines. */
#include "common/record/reader_impl.h"

typedef uint8_t lanes __attribute__((vector_size(16))); /* compilers make of it what they have */

/* At most 255 vectors, so that no lane overflows. */
static size_t count_vectors(const uint8_t *p, size_t vectors)
{
    lanes counts = {0};
    for (size_t i = 0; i < vectors; i++) {
        lanes v;
        memcpy(&v, p + i * sizeof v, sizeof v);
        counts -= (lanes)(v == '\n'); /* all ones where equal: minus one */
    }
    size_t sum = 0;
    for (size_t i = 0; i < sizeof counts; i++)
        sum += counts[i];
    return sum;
}

size_t kin_count_newlines(const uint8_t *p, size_t n)
{
    size_t count = 0;
    while (n >= sizeof(lanes)) {
        size_t vectors = n / sizeof(lanes);
        vectors = vectors < 255 ? vectors : 255;
        count += count_vectors(p, vectors);
        p += vectors * sizeof(lanes);
        n -= vectors * sizeof(lanes);
    }
    for (; n; p++, n--)
        count += *p == '\n';
    return count;
}
