/* Double Metaphone: Lawrence Philips, "The Double Metaphone Search Algorithm", C/C++ Users Journal
 * 18 (June 2000).
 *
 * The word is read from left to right. For each letter one function looks at what stands around it,
 * appends to the two codes, and returns how many letters it has dealt with. The codes differ where
 * a spelling has two likely pronunciations, mostly because a name came from another language: which
 * one is said in each branch. Position -1 and before is nothing (no pattern matches there); past
 * the end there are blanks, so that a pattern can ask for the end of a word. */
#include "common/match/kernel_impl.h"

#include <string.h>

enum { CODE_MAX = 4 };

struct word {
    const char *p;
    int n;
    int at;      /* the letter being read */
    bool slavic; /* or germanic: has W, K or CZ */
    char *code[2];
    size_t length[2];
};

/* ---- looking around; positions are relative to the letter being read unless said otherwise ----
 */

static char letter_at(const struct word *w, int position)
{
    if (position < 0)
        return '\0';
    return position < w->n ? w->p[position] : ' ';
}

static char letter(const struct word *w, int offset)
{
    return letter_at(w, w->at + offset);
}

/* Whether one of the patterns, which are parted by '|', stands at an absolute position. */
static bool stands(const struct word *w, int position, const char *patterns)
{
    if (position < 0)
        return false;
    for (const char *p = patterns;; p++) {
        int i = position;
        while (*p && *p != '|' && letter_at(w, i) == *p) {
            p++;
            i++;
        }
        if (*p == '\0' || *p == '|')
            return true;
        p = strchr(p, '|');
        if (!p)
            return false;
    }
}

static bool near(const struct word *w, int offset, const char *patterns)
{
    return stands(w, w->at + offset, patterns);
}

static bool vowel(const struct word *w, int offset)
{
    char c = letter(w, offset);
    return c == 'A' || c == 'E' || c == 'I' || c == 'O' || c == 'U' || c == 'Y';
}

static bool at_start(const struct word *w)
{
    return w->at == 0;
}

static bool at_end(const struct word *w)
{
    return w->at == w->n - 1;
}

/* German and Dutch names by how they begin. */
static bool germanic(const struct word *w)
{
    return stands(w, 0, "VAN |VON |SCH");
}

/* ---- writing ---- */

static void append(struct word *w, int which, const char *sounds)
{
    for (; *sounds && w->length[which] < CODE_MAX; sounds++)
        w->code[which][w->length[which]++] = *sounds;
}

/* Appends to both codes and returns `letters`, the number dealt with. */
static int say_either(struct word *w, const char *primary, const char *alternate, int letters)
{
    append(w, 0, primary);
    append(w, 1, alternate);
    return letters;
}

static int say(struct word *w, const char *sounds, int letters)
{
    return say_either(w, sounds, sounds, letters);
}

/* A letter that always sounds the same; one of `doubles` after it belongs to it. */
static int say_plain(struct word *w, const char *sounds, const char *doubles)
{
    return say(w, sounds, near(w, 1, doubles) ? 2 : 1);
}

/* ---- the letters ---- */

static bool ch_is_greek_initial(const struct word *w)
{
    return at_start(w) && near(w, 1, "HARAC|HARIS|HOR|HYM|HIA|HEM") && !near(w, 0, "CHORE");
}

/* CH as K: German "Bach", Greek "orchestra", before and after certain letters. */
static bool ch_is_hard(const struct word *w)
{
    return germanic(w) || near(w, -2, "ORCHES|ARCHIT|ORCHID") || near(w, 2, "T|S") ||
           ((at_start(w) || near(w, -1, "A|O|U|E")) && near(w, 2, "L|R|N|M|B|H|F|V|W| "));
}

static int read_ch(struct word *w)
{
    if (!at_start(w) && near(w, 0, "CHAE")) /* Michael */
        return say_either(w, "K", "X", 2);
    if (ch_is_greek_initial(w) || ch_is_hard(w)) /* character, chorus */
        return say(w, "K", 2);
    if (at_start(w))
        return say(w, "X", 2);
    if (stands(w, 0, "MC")) /* McHugh */
        return say(w, "K", 2);
    return say_either(w, "X", "K", 2);
}

static int read_cc(struct word *w)
{
    if (!near(w, 2, "I|E|H") || near(w, 2, "HU"))
        return say(w, "K", 2); /* Bacchus */
    bool accident = w->at == 1 && letter(w, -1) == 'A';
    if (accident || near(w, -1, "UCCEE|UCCES")) /* accede, succeed */
        return say(w, "KS", 3);
    return say(w, "X", 3); /* bacci, bertucci */
}

static int read_c(struct word *w)
{
    /* germanic: Bacher, Macher, but not "bachelor" with I or E after it */
    if (w->at > 1 && !vowel(w, -2) && near(w, -1, "ACH") && letter(w, 2) != 'I' &&
        (letter(w, 2) != 'E' || near(w, -2, "BACHER|MACHER")))
        return say(w, "K", 2);
    if (at_start(w) && near(w, 0, "CAESAR"))
        return say(w, "S", 2);
    if (near(w, 0, "CHIA")) /* chianti */
        return say(w, "K", 2);
    if (near(w, 0, "CH"))
        return read_ch(w);
    if (near(w, 0, "CZ") && !near(w, -2, "WICZ")) /* Czerny */
        return say_either(w, "S", "X", 2);
    if (near(w, 1, "CIA")) /* focaccia */
        return say(w, "X", 3);
    if (near(w, 0, "CC") && !(w->at == 1 && letter_at(w, 0) == 'M')) /* but McClellan */
        return read_cc(w);
    if (near(w, 0, "CK|CG|CQ"))
        return say(w, "K", 2);
    if (near(w, 0, "CIO|CIE|CIA")) /* Italian or English */
        return say_either(w, "S", "X", 2);
    if (near(w, 0, "CI|CE|CY"))
        return say(w, "S", 2);
    if (near(w, 1, " C| Q| G")) /* Mac Caffrey, Mac Gregor */
        return say(w, "K", 3);
    return say(w, "K", near(w, 1, "C|K|Q") && !near(w, 1, "CE|CI") ? 2 : 1);
}

static int read_d(struct word *w)
{
    if (near(w, 0, "DGI|DGE|DGY")) /* edge */
        return say(w, "J", 3);
    if (near(w, 0, "DG")) /* Edgar */
        return say(w, "TK", 2);
    return say_plain(w, "T", "T|D");
}

static int read_gh(struct word *w)
{
    if (!at_start(w) && !vowel(w, -1))
        return say(w, "K", 2);
    if (at_start(w)) /* Ghislane, Ghiradelli; ghost */
        return say(w, letter(w, 2) == 'I' ? "J" : "K", 2);
    /* Parker's rule, with some exceptions: Hugh, bough, broughton */
    if (near(w, -2, "B|H|D") || near(w, -3, "B|H|D") || near(w, -4, "B|H"))
        return 2;
    if (letter(w, -1) == 'U' && near(w, -3, "C|G|L|R|T")) /* laugh, McLaughlin, cough, rough */
        return say(w, "F", 2);
    if (letter(w, -1) != 'I')
        return say(w, "K", 2);
    return 2; /* night */
}

static int read_gn(struct word *w)
{
    if (w->at == 1 && vowel(w, -1) && !w->slavic) /* agnostic */
        return say_either(w, "KN", "N", 2);
    if (!near(w, 2, "EY") && !w->slavic) /* campagna, but Cagney */
        return say_either(w, "N", "KN", 2);
    return say(w, "KN", 2);
}

/* G that is hard or soft by language: before E, I, Y. */
static bool g_may_be_soft(const struct word *w)
{
    if (at_start(w) && near(w, 1, "Y|ES|EP|EB|EL|EY|IB|IL|IN|IE|EI|ER")) /* Gerald, Gilbert */
        return true;
    return near(w, 1, "ER|Y") && !stands(w, 0, "DANGER|RANGER|MANGER") && !near(w, -1, "E|I") &&
           !near(w, -1, "RGY|OGY");
}

static int read_g(struct word *w)
{
    if (letter(w, 1) == 'H')
        return read_gh(w);
    if (letter(w, 1) == 'N')
        return read_gn(w);
    if (near(w, 1, "LI") && !w->slavic) /* tagliaro */
        return say_either(w, "KL", "L", 2);
    if (g_may_be_soft(w))
        return say_either(w, "K", "J", 2);
    if (near(w, 1, "E|I|Y") || near(w, -1, "AGGI|OGGI")) { /* biaggi */
        if (germanic(w) || near(w, 1, "ET"))
            return say(w, "K", 2);
        if (near(w, 1, "IER ")) /* always soft if French */
            return say(w, "J", 2);
        return say_either(w, "J", "K", 2);
    }
    return say_plain(w, "K", "G");
}

static int read_h(struct word *w)
{
    /* heard only before a vowel, and first or after one */
    if ((at_start(w) || vowel(w, -1)) && vowel(w, 1))
        return say(w, "H", 2);
    return 1;
}

static int read_j(struct word *w)
{
    bool san = stands(w, 0, "SAN ");
    if (near(w, 0, "JOSE") || san) { /* Spanish: San Jacinto */
        if (san || (at_start(w) && letter(w, 4) == ' '))
            return say(w, "H", 1);
        return say_either(w, "J", "H", 1);
    }
    int letters = letter(w, 1) == 'J' ? 2 : 1;
    if (at_start(w)) /* Jankelowicz as Yankelovich */
        return say_either(w, "J", "A", letters);
    if (vowel(w, -1) && !w->slavic && near(w, 1, "A|O")) /* Spanish: bajador */
        return say_either(w, "J", "H", letters);
    if (at_end(w))
        return say_either(w, "J", "", letters);
    if (!near(w, 1, "L|T|K|S|N|M|B|Z") && !near(w, -1, "S|K|L"))
        return say(w, "J", letters);
    return letters;
}

/* LL as in Cabrillo and Gallegos. */
static bool ll_is_spanish(const struct word *w)
{
    if (w->at == w->n - 3 && near(w, -1, "ILLO|ILLA|ALLE"))
        return true;
    return (stands(w, w->n - 2, "AS|OS") || stands(w, w->n - 1, "A|O")) && near(w, -1, "ALLE");
}

static int read_l(struct word *w)
{
    if (letter(w, 1) != 'L')
        return say(w, "L", 1);
    return say_either(w, "L", ll_is_spanish(w) ? "" : "L", 2);
}

static int read_m(struct word *w)
{
    /* dumb, thumb, plumber */
    bool silent_b = near(w, -1, "UMB") && (w->at + 1 == w->n - 1 || near(w, 2, "ER"));
    return say(w, "M", silent_b || letter(w, 1) == 'M' ? 2 : 1);
}

static int read_p(struct word *w)
{
    if (letter(w, 1) == 'H')
        return say(w, "F", 2);
    return say_plain(w, "P", "P|B"); /* Campbell */
}

static int read_r(struct word *w)
{
    int letters = letter(w, 1) == 'R' ? 2 : 1;
    /* French: Rogier, but Hochmeier */
    if (at_end(w) && !w->slavic && near(w, -2, "IE") && !near(w, -4, "ME|MA"))
        return say_either(w, "", "R", letters);
    return say(w, "R", letters);
}

static int read_sc(struct word *w)
{
    if (letter(w, 2) == 'H') {   /* Schlesinger's rule */
        if (near(w, 3, "ER|EN")) /* Schermerhorn, Schenker */
            return say_either(w, "X", "SK", 3);
        if (near(w, 3, "OO|UY|ED|EM")) /* Dutch: school, schooner */
            return say(w, "SK", 3);
        if (at_start(w) && !vowel(w, 3) && letter(w, 3) != 'W') /* Schmidt */
            return say_either(w, "X", "S", 3);
        return say(w, "X", 3);
    }
    return say(w, near(w, 2, "I|E|Y") ? "S" : "SK", 3);
}

static int read_s(struct word *w)
{
    if (near(w, -1, "ISL|YSL")) /* island, Carlysle */
        return 1;
    if (at_start(w) && near(w, 0, "SUGAR"))
        return say_either(w, "X", "S", 1);
    if (near(w, 0, "SH")) /* germanic: Sholz */
        return say(w, near(w, 1, "HEIM|HOEK|HOLM|HOLZ") ? "S" : "X", 2);
    if (near(w, 0, "SIO|SIA")) /* Italian and Armenian */
        return say_either(w, "S", w->slavic ? "S" : "X", 3);
    /* German, anglicised: Smith matches Schmidt, Snider matches Schneider; Hungarian SZ */
    bool z = letter(w, 1) == 'Z';
    if (z || (at_start(w) && near(w, 1, "M|N|L|W")))
        return say_either(w, "S", "X", z ? 2 : 1);
    if (near(w, 0, "SC"))
        return read_sc(w);
    int letters = near(w, 1, "S|Z") ? 2 : 1;
    if (at_end(w) && near(w, -2, "AI|OI")) /* French: Resnais, Artois */
        return say_either(w, "", "S", letters);
    return say(w, "S", letters);
}

static int read_t(struct word *w)
{
    if (near(w, 0, "TION|TIA|TCH"))
        return say(w, "X", 3);
    if (near(w, 0, "TH|TTH")) {
        if (near(w, 2, "OM|AM") || germanic(w)) /* Thomas, Thames */
            return say(w, "T", 2);
        return say_either(w, "0", "T", 2);
    }
    return say_plain(w, "T", "T|D");
}

static int read_w(struct word *w)
{
    if (near(w, 0, "WR"))
        return say(w, "R", 2);
    if (at_start(w) &&
        vowel(w, 1)) /* Wasserman as Vasserman; the rules below come on top: Witzel */
        say_either(w, "A", "F", 1);
    else if (at_start(w) && near(w, 0, "WH")) /* Whitney */
        say(w, "A", 1);
    /* Arnow as Arnoff */
    if ((at_end(w) && vowel(w, -1)) || near(w, -1, "EWSKI|EWSKY|OWSKI|OWSKY") ||
        stands(w, 0, "SCH"))
        return say_either(w, "", "F", 1);
    if (near(w, 0, "WICZ|WITZ")) /* Polish: Filipowicz */
        return say_either(w, "TS", "FX", 4);
    return 1;
}

static int read_x(struct word *w)
{
    /* French: Breaux */
    bool silent = at_end(w) && (near(w, -3, "IAU|EAU") || near(w, -2, "AU|OU"));
    int letters = near(w, 1, "C|X") ? 2 : 1;
    return silent ? letters : say(w, "KS", letters);
}

static int read_z(struct word *w)
{
    if (letter(w, 1) == 'H') /* Chinese: Zhao */
        return say(w, "J", 2);
    int letters = letter(w, 1) == 'Z' ? 2 : 1;
    if (near(w, 1, "ZO|ZI|ZA") || (w->slavic && !at_start(w) && letter(w, -1) != 'T'))
        return say_either(w, "S", "TS", letters);
    return say(w, "S", letters);
}

static int read_letter(struct word *w)
{
    switch (letter(w, 0)) {
    case 'A':
    case 'E':
    case 'I':
    case 'O':
    case 'U':
    case 'Y': /* vowels count only at the start */
        return at_start(w) ? say(w, "A", 1) : 1;
    case 'B':
        return say_plain(w, "P", "B");
    case KIN_LETTER_C_CEDILLA:
        return say(w, "S", 1);
    case 'C':
        return read_c(w);
    case 'D':
        return read_d(w);
    case 'F':
        return say_plain(w, "F", "F");
    case 'G':
        return read_g(w);
    case 'H':
        return read_h(w);
    case 'J':
        return read_j(w);
    case 'K':
        return say_plain(w, "K", "K");
    case 'L':
        return read_l(w);
    case 'M':
        return read_m(w);
    case 'N':
        return say_plain(w, "N", "N");
    case KIN_LETTER_N_TILDE:
        return say(w, "N", 1);
    case 'P':
        return read_p(w);
    case 'Q':
        return say_plain(w, "K", "Q");
    case 'R':
        return read_r(w);
    case 'S':
        return read_s(w);
    case 'T':
        return read_t(w);
    case 'V':
        return say_plain(w, "F", "V");
    case 'W':
        return read_w(w);
    case 'X':
        return read_x(w);
    case 'Z':
        return read_z(w);
    default:
        return 1;
    }
}

static bool is_slavic(const struct word *w)
{
    for (int i = 0; i < w->n; i++)
        if (w->p[i] == 'W' || w->p[i] == 'K' || (w->p[i] == 'C' && letter_at(w, i + 1) == 'Z'))
            return true;
    return false;
}

size_t kin_double_metaphone(struct kin_str s, char primary[5], char alternate[5])
{
    char letters[KIN_KERNEL_CODEPOINTS_MAX];
    size_t count = kin_kernel_letters(s, letters, sizeof letters, true);
    size_t start = 0;
    while (start < count && letters[start] == ' ')
        start++;
    while (count > start && letters[count - 1] == ' ')
        count--;
    struct word w = {.p = letters + start, .n = (int)(count - start), .code = {primary, alternate}};
    w.slavic = is_slavic(&w);
    if (stands(&w, 0, "GN|KN|PN|WR|PS")) /* the first is silent */
        w.at = 1;
    else if (letter(&w, 0) == 'X') /* Xavier */
        w.at = say(&w, "S", 1);
    while (w.at < w.n && (w.length[0] < CODE_MAX || w.length[1] < CODE_MAX))
        w.at += read_letter(&w);
    primary[w.length[0]] = '\0';
    alternate[w.length[1]] = '\0';
    return w.length[0];
}
