#include "common/record/codes.h"

enum { CODE_MIN = 4, NUMBER_MIN = 5 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

static bool is_joint(char c)
{
    return c == '-' || c == '.' || c == '/';
}

static bool is_code(struct kin_str run)
{
    unsigned letters = 0, digits = 0, turns = 0; /* turns: from letter to digit */
    char last = '\0';
    for (size_t i = 0; i < run.n; i++) {
        if (is_joint(run.p[i]))
            continue;
        bool digit = is_digit(run.p[i]);
        turns += digit && is_letter(last);
        digits += digit;
        letters += !digit;
        last = run.p[i];
    }
    if (letters == 0)
        return digits >= NUMBER_MIN;
    return digits > 0 && letters + digits >= CODE_MIN && turns > 0;
}

bool kin_code_next(struct kin_str text, size_t *at, struct kin_str *code)
{
    for (size_t i = *at, end; i < text.n; i = end + (end < text.n)) {
        end = i;
        while (end < text.n &&
               (is_digit(text.p[end]) || is_letter(text.p[end]) || is_joint(text.p[end])))
            end++;
        struct kin_str run = {text.p + i, end - i};
        for (; run.n && is_joint(run.p[0]); run.n--)
            run.p++;
        while (run.n && is_joint(run.p[run.n - 1]))
            run.n--;
        if (is_code(run)) {
            *at = end;
            *code = run;
            return true;
        }
    }
    *at = text.n;
    return false;
}
