/* Street addresses: folded text whose words are brought to one written form. */
#include "common/record/norm_impl.h"

#include <string.h>

/* Single letters that belong together: directions ("N. W."), post boxes ("P.O. Box"). */
static bool joins(char first, char second)
{
    if (first == 'n' || first == 's')
        return second == 'e' || second == 'w';
    return first == 'p' && second == 'o';
}

enum kin_norm kin_norm_address(struct kin_norm_scratch *s, struct kin_folded text,
                               struct kin_norm_value *out)
{
    size_t n = 0, at = 0;
    bool single = false; /* the last word is one character; joined ones end in e, w or o */
    while (at < text.n) {
        const char *blank = memchr(text.p + at, ' ', text.n - at);
        size_t end = blank ? (size_t)(blank - text.p) : text.n;
        struct kin_str word = kin_norm_address_word((struct kin_str){text.p + at, end - at});
        bool join = single && word.n == 1 && joins((char)s->out[n - 1], word.p[0]);
        if (n + 1 + word.n > KIN_NORM_PAYLOAD_MAX)
            break;
        if (n > 0 && !join)
            s->out[n++] = ' ';
        memcpy(s->out + n, word.p, word.n);
        n += word.n;
        single = word.n == 1;
        at = end + 1;
    }
    if (n == 0) { /* one word beyond the limit: it is cut already */
        *out = (struct kin_norm_value){(const uint8_t *)text.p, text.n, text.ascii};
        return KIN_NORM_VALUE;
    }
    bool ascii = true;
    for (size_t i = 0; i < n && !text.ascii; i++)
        ascii = ascii && s->out[i] < 0x80;
    *out = (struct kin_norm_value){s->out, n, ascii};
    return KIN_NORM_VALUE;
}
