/* E-mail addresses. The aim is comparison, not delivery: whatever has one @ with something on both
 * sides is kept, a mistyped domain too, for it is still close to the right one. */
#include "common/record/norm_impl.h"

#include <string.h>

/* What ends an address at either side; and what ends only its domain. */
enum { ENDS = 1, ENDS_DOMAIN = 2 };
static const uint8_t signs[256] = {
    ['<'] = ENDS, ['>'] = ENDS, ['('] = ENDS, [')'] = ENDS,        ['['] = ENDS,       [']'] = ENDS,
    [':'] = ENDS, [';'] = ENDS, [','] = ENDS, ['?'] = ENDS_DOMAIN, ['/'] = ENDS_DOMAIN};

static struct kin_str trim_dots(struct kin_str s)
{
    while (s.n && s.p[0] == '.') {
        s.p++;
        s.n--;
    }
    while (s.n && s.p[s.n - 1] == '.')
        s.n--;
    return s;
}

/* What stands before the address itself: "Name <", "mailto:", "(". */
static struct kin_str cut_before(struct kin_str local)
{
    for (size_t i = local.n; i > 0; i--) {
        if (signs[(uint8_t)local.p[i - 1]] & ENDS)
            return trim_dots((struct kin_str){local.p + i, local.n - i});
    }
    return trim_dots(local);
}

/* What follows it: ">", ", second address", "(work)", ":port", "?subject=". */
static struct kin_str cut_behind(struct kin_str domain)
{
    for (size_t i = 0; i < domain.n; i++) {
        if (signs[(uint8_t)domain.p[i]])
            return trim_dots((struct kin_str){domain.p, i});
    }
    return trim_dots(domain);
}

/* A tag after the first plus that is not at the start. */
static struct kin_str cut_tag(struct kin_str local)
{
    const char *plus = local.n > 1 ? memchr(local.p + 1, '+', local.n - 1) : NULL;
    if (!plus)
        return local;
    return trim_dots((struct kin_str){local.p, (size_t)(plus - local.p)});
}

static bool is_ascii(struct kin_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    }
    return true;
}

enum kin_norm kin_norm_email(struct kin_norm_scratch *s, struct kin_folded text,
                             struct kin_norm_value *out)
{
    const char *at = memchr(text.p, '@', text.n);
    const char *end = text.p + text.n;
    if (!at || memchr(at + 1, '@', (size_t)(end - at - 1)))
        return KIN_NORM_BAD;
    struct kin_str local = cut_tag(cut_before((struct kin_str){text.p, (size_t)(at - text.p)}));
    struct kin_str domain = cut_behind((struct kin_str){at + 1, (size_t)(end - at - 1)});
    /* two names of one mail service, which ignores dots */
    bool gmail =
        kin_str_eq(domain, KIN_STR("gmail.com")) || kin_str_eq(domain, KIN_STR("googlemail.com"));
    if (gmail)
        domain = KIN_STR("gmail.com");
    gmail = gmail && is_ascii(local);

    size_t n = 0;
    for (size_t i = 0; i < local.n; i++) {
        if (!gmail || local.p[i] != '.')
            s->out[n++] = (uint8_t)local.p[i];
    }
    if (!kin_norm_has_content((struct kin_str){(char *)s->out, n}) || !kin_norm_has_content(domain))
        return KIN_NORM_BAD;
    s->out[n++] = '@';
    memcpy(s->out + n, domain.p, domain.n);
    n += domain.n;
    *out = (struct kin_norm_value){s->out, n, is_ascii((struct kin_str){(char *)s->out, n})};
    return KIN_NORM_VALUE;
}
