/* The tables of the normalisers, and how they are searched. All are sorted; the tests check it. */
#include "common/record/norm_impl.h"

#include <string.h>

/* ---- letters that have no decomposition ---- */

/* After case folding. Latin letters with a stroke, hook or ligature to the letters that people
 * without them on the keyboard write; Arabic letters that are written one for another. */
static const struct kin_norm_letter letters[] = {
    {0xe6, {'a', 'e'}},   {0xf0, {'d', 0}},    {0xf8, {'o', 0}},     {0xfe, {'t', 'h'}},
    {0x111, {'d', 0}},    {0x127, {'h', 0}},   {0x131, {'i', 0}},    {0x138, {'k', 0}},
    {0x142, {'l', 0}},    {0x14b, {'n', 0}},   {0x153, {'o', 'e'}},  {0x167, {'t', 0}},
    {0x180, {'b', 0}},    {0x183, {'b', 0}},   {0x188, {'c', 0}},    {0x18c, {'d', 0}},
    {0x192, {'f', 0}},    {0x195, {'h', 'v'}}, {0x199, {'k', 0}},    {0x19a, {'l', 0}},
    {0x19e, {'n', 0}},    {0x1a5, {'p', 0}},   {0x1ab, {'t', 0}},    {0x1ad, {'t', 0}},
    {0x1b4, {'y', 0}},    {0x1b6, {'z', 0}},   {0x1dd, {'e', 0}},    {0x1e5, {'g', 0}},
    {0x21d, {'y', 0}},    {0x221, {'d', 0}},   {0x225, {'z', 0}},    {0x234, {'l', 0}},
    {0x235, {'n', 0}},    {0x236, {'t', 0}},   {0x237, {'j', 0}},    {0x23c, {'c', 0}},
    {0x23f, {'s', 0}},    {0x240, {'z', 0}},   {0x247, {'e', 0}},    {0x249, {'j', 0}},
    {0x24b, {'q', 0}},    {0x24d, {'r', 0}},   {0x24f, {'y', 0}},    {0x253, {'b', 0}},
    {0x254, {'o', 0}},    {0x255, {'c', 0}},   {0x256, {'d', 0}},    {0x257, {'d', 0}},
    {0x258, {'e', 0}},    {0x259, {'e', 0}},   {0x25b, {'e', 0}},    {0x25c, {'e', 0}},
    {0x25f, {'j', 0}},    {0x260, {'g', 0}},   {0x261, {'g', 0}},    {0x262, {'g', 0}},
    {0x263, {'g', 0}},    {0x265, {'h', 0}},   {0x266, {'h', 0}},    {0x268, {'i', 0}},
    {0x269, {'i', 0}},    {0x26a, {'i', 0}},   {0x26b, {'l', 0}},    {0x26c, {'l', 0}},
    {0x26d, {'l', 0}},    {0x26f, {'u', 0}},   {0x271, {'m', 0}},    {0x272, {'n', 0}},
    {0x273, {'n', 0}},    {0x274, {'n', 0}},   {0x275, {'o', 0}},    {0x27c, {'r', 0}},
    {0x27d, {'r', 0}},    {0x27e, {'r', 0}},   {0x280, {'r', 0}},    {0x282, {'s', 0}},
    {0x283, {'s', 0}},    {0x288, {'t', 0}},   {0x289, {'u', 0}},    {0x28a, {'u', 0}},
    {0x28b, {'v', 0}},    {0x28f, {'y', 0}},   {0x290, {'z', 0}},    {0x291, {'z', 0}},
    {0x292, {'z', 0}},    {0x299, {'b', 0}},   {0x29c, {'h', 0}},    {0x29d, {'j', 0}},
    {0x29f, {'l', 0}},    {0x2a0, {'q', 0}},   {0x491, {0x433, 0}},  {0x629, {0x647, 0}},
    {0x649, {0x64a, 0}},  {0x6a9, {0x643, 0}}, {0x6be, {0x647, 0}},  {0x6c1, {0x647, 0}},
    {0x6cc, {0x64a, 0}},  {0x6d2, {0x64a, 0}}, {0x6d5, {0x647, 0}},  {0x1d6b, {'u', 'e'}},
    {0x1d7b, {'i', 0}},   {0x1d7d, {'p', 0}},  {0x1d7e, {'u', 0}},   {0x1d80, {'b', 0}},
    {0x1d81, {'d', 0}},   {0x1d82, {'f', 0}},  {0x1d83, {'g', 0}},   {0x1d84, {'k', 0}},
    {0x1d85, {'l', 0}},   {0x1d86, {'m', 0}},  {0x1d87, {'n', 0}},   {0x1d88, {'p', 0}},
    {0x1d89, {'r', 0}},   {0x1d8a, {'s', 0}},  {0x1d8c, {'v', 0}},   {0x1d8d, {'x', 0}},
    {0x1d8e, {'z', 0}},   {0x2c61, {'l', 0}},  {0x2c65, {'a', 0}},   {0x2c66, {'t', 0}},
    {0x2c68, {'h', 0}},   {0x2c6a, {'k', 0}},  {0x2c6c, {'z', 0}},   {0x2c71, {'v', 0}},
    {0x2c73, {'w', 0}},   {0x2c74, {'v', 0}},  {0xa741, {'k', 0}},   {0xa743, {'k', 0}},
    {0xa745, {'k', 0}},   {0xa749, {'l', 0}},  {0xa74b, {'o', 0}},   {0xa74d, {'o', 0}},
    {0xa74f, {'o', 'o'}}, {0xa751, {'p', 0}},  {0xa753, {'p', 0}},   {0xa757, {'q', 0}},
    {0xa759, {'q', 0}},   {0xa75f, {'v', 0}},  {0xa761, {'v', 'y'}}, {0xa765, {'t', 'h'}},
    {0xa78e, {'l', 0}},   {0xa791, {'n', 0}},  {0xa793, {'c', 0}},   {0xa797, {'b', 0}},
    {0xa799, {'f', 0}},   {0xa7a1, {'g', 0}},  {0xa7a3, {'k', 0}},   {0xa7a5, {'n', 0}},
    {0xa7a7, {'r', 0}},   {0xa7a9, {'s', 0}},  {0xab64, {'a', 0}}};

const struct kin_norm_letter *kin_norm_letter_find(int32_t point)
{
    size_t low = 0, high = sizeof letters / sizeof *letters;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (letters[middle].from == point)
            return &letters[middle];
        if (letters[middle].from < point)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- decimal digits ---- */

/* Zero of each run of ten (category Nd, without those that decompose to ASCII). */
static const int32_t zeros[] = {
    0x660,   0x6f0,   0x7c0,   0x966,   0x9e6,   0xa66,   0xae6,   0xb66,   0xbe6,   0xc66,
    0xce6,   0xd66,   0xde6,   0xe50,   0xed0,   0xf20,   0x1040,  0x1090,  0x17e0,  0x1810,
    0x1946,  0x19d0,  0x1a80,  0x1a90,  0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,  0xa8d0,
    0xa900,  0xa9d0,  0xa9f0,  0xaa50,  0xabf0,  0xff10,  0x104a0, 0x10d30, 0x11066, 0x110f0,
    0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0};

int kin_norm_digit_value(int32_t point)
{
    size_t low = 0, high = sizeof zeros / sizeof *zeros;
    while (low < high) { /* the last zero that is not above point */
        size_t middle = (low + high) / 2;
        if (zeros[middle] <= point)
            low = middle + 1;
        else
            high = middle;
    }
    return low && point - zeros[low - 1] < 10 ? point - zeros[low - 1] : -1;
}

/* ---- words of addresses ---- */

/* Sorted by length, then bytes. The form on the right is never itself on the left. */
static const struct address_word {
    char from[13];
    char to[6];
} address_words[] = {
    {"av", "ave"},          {"nr", "no"},          {"ph", "pnth"},        {"wy", "way"},
    {"avn", "ave"},         {"bld", "blvd"},       {"blg", "bldg"},       {"bvd", "blvd"},
    {"crt", "ct"},          {"dam", "dm"},         {"drv", "dr"},         {"flr", "fl"},
    {"frt", "ft"},          {"key", "ky"},         {"mnt", "mt"},         {"num", "no"},
    {"ovl", "oval"},        {"pky", "pkwy"},       {"plc", "pl"},         {"sqr", "sq"},
    {"squ", "sq"},          {"str", "st"},         {"ally", "aly"},       {"anex", "anx"},
    {"annx", "anx"},        {"apmt", "apt"},       {"appt", "apt"},       {"avda", "ave"},
    {"aven", "ave"},        {"bluf", "blf"},       {"boul", "blvd"},      {"bvld", "blvd"},
    {"bypa", "byp"},        {"cape", "cpe"},       {"cent", "ctr"},       {"circ", "cir"},
    {"cntr", "ctr"},        {"cove", "cv"},        {"crcl", "cir"},       {"dale", "dl"},
    {"driv", "dr"},         {"east", "e"},         {"expr", "expy"},      {"extn", "ext"},
    {"flat", "flt"},        {"fork", "frk"},       {"fort", "ft"},        {"frry", "fry"},
    {"glen", "gln"},        {"hill", "hl"},        {"hiwy", "hwy"},       {"hway", "hwy"},
    {"jctn", "jct"},        {"lake", "lk"},        {"lane", "ln"},        {"lock", "lck"},
    {"lots", "lot"},        {"mews", "ms"},        {"mill", "ml"},        {"park", "pk"},
    {"plza", "plz"},        {"port", "prt"},       {"quay", "qy"},        {"rdge", "rdg"},
    {"road", "rd"},         {"room", "rm"},        {"rows", "row"},       {"sqre", "sq"},
    {"strt", "st"},         {"terr", "ter"},       {"view", "vw"},        {"vill", "vlg"},
    {"walk", "wlk"},        {"west", "w"},         {"yard", "yd"},        {"allee", "aly"},
    {"alley", "aly"},       {"annex", "anx"},      {"avenu", "ave"},      {"avnue", "ave"},
    {"beach", "bch"},       {"bldng", "bldg"},     {"block", "blk"},      {"bluff", "blf"},
    {"boulv", "blvd"},      {"boxes", "box"},      {"brdge", "brg"},      {"brnch", "br"},
    {"brook", "brk"},       {"bypas", "byp"},      {"calle", "c"},        {"canyn", "cyn"},
    {"centr", "ctr"},       {"circl", "cir"},      {"cliff", "clf"},      {"close", "cl"},
    {"court", "ct"},        {"creek", "crk"},      {"cresc", "cres"},     {"crsnt", "cres"},
    {"drive", "dr"},        {"falls", "fls"},      {"ferry", "fry"},      {"field", "fld"},
    {"fifth", "5th"},       {"first", "1st"},      {"floor", "fl"},       {"frway", "fwy"},
    {"gardn", "gdn"},       {"grden", "gdn"},      {"great", "gt"},       {"green", "grn"},
    {"grove", "grv"},       {"haven", "hvn"},      {"hills", "hls"},      {"hiway", "hwy"},
    {"house", "hse"},       {"inlet", "inlt"},     {"islnd", "is"},       {"knoll", "knl"},
    {"lakes", "lks"},       {"level", "lvl"},      {"light", "lgt"},      {"lodge", "ldg"},
    {"loops", "loop"},      {"lower", "lwr"},      {"manor", "mnr"},      {"mills", "mls"},
    {"mount", "mt"},        {"ninth", "9th"},      {"north", "n"},        {"pines", "pnes"},
    {"pkway", "pkwy"},      {"place", "pl"},       {"plain", "pln"},      {"platz", "plz"},
    {"plaza", "plz"},       {"point", "pt"},       {"ranch", "rnch"},     {"ridge", "rdg"},
    {"river", "riv"},       {"roads", "rds"},      {"route", "rte"},      {"saint", "st"},
    {"shore", "shr"},       {"sixth", "6th"},      {"south", "s"},        {"suite", "ste"},
    {"tenth", "10th"},      {"third", "3rd"},      {"trace", "trce"},     {"trail", "trl"},
    {"trnpk", "tpke"},      {"union", "un"},       {"units", "unit"},     {"upper", "upr"},
    {"vally", "vly"},       {"vista", "vis"},      {"wells", "wls"},      {"wharf", "wf"},
    {"arcade", "arc"},      {"avenue", "ave"},     {"branch", "br"},      {"bridge", "brg"},
    {"bypass", "byp"},      {"canyon", "cyn"},     {"causwa", "cswy"},    {"center", "ctr"},
    {"centre", "ctr"},      {"circle", "cir"},     {"cliffs", "clfs"},    {"corner", "cor"},
    {"county", "co"},       {"courts", "cts"},     {"crsent", "cres"},    {"crssng", "xing"},
    {"divide", "dv"},       {"eighth", "8th"},     {"estate", "est"},     {"extnsn", "ext"},
    {"fields", "flds"},     {"forest", "frst"},    {"fourth", "4th"},     {"freewy", "fwy"},
    {"garden", "gdn"},      {"gatewy", "gtwy"},    {"harbor", "hbr"},     {"highwy", "hwy"},
    {"hollow", "holw"},     {"island", "is"},      {"islnds", "iss"},     {"jction", "jct"},
    {"junctn", "jct"},      {"little", "ltl"},     {"meadow", "mdw"},     {"number", "no"},
    {"office", "ofc"},      {"parade", "pde"},     {"parkwy", "pkwy"},    {"piazza", "pza"},
    {"plains", "plns"},     {"sainte", "st"},      {"second", "2nd"},     {"shores", "shrs"},
    {"skyway", "skwy"},     {"spring", "spg"},     {"square", "sq"},      {"street", "st"},
    {"summit", "smt"},      {"trails", "trl"},     {"tunnel", "tunl"},    {"valley", "vly"},
    {"villag", "vlg"},      {"avenida", "ave"},    {"corners", "cors"},   {"crescnt", "cres"},
    {"cutting", "cut"},     {"estates", "ests"},   {"express", "expy"},   {"forests", "frst"},
    {"freeway", "fwy"},     {"gardens", "gdns"},   {"gateway", "gtwy"},   {"harbour", "hbr"},
    {"heights", "hts"},     {"highway", "hwy"},    {"islands", "iss"},    {"landing", "lndg"},
    {"meadows", "mdws"},    {"orchard", "orch"},   {"parkway", "pkwy"},   {"passage", "pass"},
    {"postbox", "pob"},     {"prairie", "pr"},     {"seventh", "7th"},    {"springs", "spgs"},
    {"station", "sta"},     {"strasse", "st"},     {"streets", "sts"},    {"terrace", "ter"},
    {"trailer", "trlr"},    {"twelfth", "12th"},   {"viaduct", "via"},    {"village", "vlg"},
    {"basement", "bsmt"},   {"building", "bldg"},  {"causeway", "cswy"},  {"crescent", "cres"},
    {"crossing", "xing"},   {"eleventh", "11th"},  {"expressw", "expy"},  {"junction", "jct"},
    {"motorway", "mtwy"},   {"mountain", "mtn"},   {"turnpike", "tpke"},  {"apartment", "apt"},
    {"boulevard", "blvd"},  {"carretera", "ctra"}, {"crossroad", "xrd"},  {"extension", "ext"},
    {"northeast", "ne"},    {"northwest", "nw"},   {"penthouse", "pnth"}, {"promenade", "prom"},
    {"southeast", "se"},    {"southwest", "sw"},   {"underpass", "upas"}, {"apartments", "apt"},
    {"department", "dept"}, {"expressway", "expy"}};

static int compare_word(struct kin_str word, const char *entry)
{
    size_t n = strlen(entry);
    if (word.n != n)
        return word.n < n ? -1 : 1;
    return memcmp(word.p, entry, n);
}

struct kin_str kin_norm_address_word(struct kin_str word)
{
    if (word.n < 2 || word.n >= sizeof address_words->from)
        return word;
    size_t low = 0, high = sizeof address_words / sizeof *address_words;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_word(word, address_words[middle].from);
        if (order == 0)
            return kin_str_of(address_words[middle].to);
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return word;
}

/* ---- telephone countries ---- */

/* Sorted by calling code, of several countries the largest first; countries that share a code share
 * the rules. Lengths and trunk prefixes after the national numbering plans (ITU-T E.164, E.129). */
static const struct kin_norm_country countries[] = {
    {"US", "1", "1", "", "011", 10, 10, false}, {"AG", "1", "1", "", "011", 10, 10, false},
    {"AI", "1", "1", "", "011", 10, 10, false}, {"AS", "1", "1", "", "011", 10, 10, false},
    {"BB", "1", "1", "", "011", 10, 10, false}, {"BM", "1", "1", "", "011", 10, 10, false},
    {"BS", "1", "1", "", "011", 10, 10, false}, {"CA", "1", "1", "", "011", 10, 10, false},
    {"DM", "1", "1", "", "011", 10, 10, false}, {"DO", "1", "1", "", "011", 10, 10, false},
    {"GD", "1", "1", "", "011", 10, 10, false}, {"GU", "1", "1", "", "011", 10, 10, false},
    {"JM", "1", "1", "", "011", 10, 10, false}, {"KN", "1", "1", "", "011", 10, 10, false},
    {"KY", "1", "1", "", "011", 10, 10, false}, {"LC", "1", "1", "", "011", 10, 10, false},
    {"MP", "1", "1", "", "011", 10, 10, false}, {"MS", "1", "1", "", "011", 10, 10, false},
    {"PR", "1", "1", "", "011", 10, 10, false}, {"SX", "1", "1", "", "011", 10, 10, false},
    {"TC", "1", "1", "", "011", 10, 10, false}, {"TT", "1", "1", "", "011", 10, 10, false},
    {"VC", "1", "1", "", "011", 10, 10, false}, {"VG", "1", "1", "", "011", 10, 10, false},
    {"VI", "1", "1", "", "011", 10, 10, false}, {"EG", "20", "0", "", "", 8, 10, false},
    {"SS", "211", "0", "", "", 9, 9, false},    {"MA", "212", "0", "", "", 9, 9, false},
    {"EH", "212", "0", "", "", 9, 9, false},    {"DZ", "213", "0", "", "", 8, 9, false},
    {"TN", "216", "", "", "", 8, 8, false},     {"LY", "218", "0", "", "", 8, 9, false},
    {"GM", "220", "", "", "", 7, 7, false},     {"SN", "221", "", "", "", 9, 9, false},
    {"MR", "222", "", "", "", 8, 8, false},     {"ML", "223", "", "", "", 8, 8, false},
    {"GN", "224", "", "", "", 9, 9, false},     {"CI", "225", "", "", "", 10, 10, true},
    {"BF", "226", "", "", "", 8, 8, true},      {"NE", "227", "", "", "", 8, 8, false},
    {"TG", "228", "", "", "", 8, 8, false},     {"BJ", "229", "", "", "", 8, 10, true},
    {"MU", "230", "", "", "", 7, 8, false},     {"LR", "231", "0", "", "", 7, 9, false},
    {"SL", "232", "0", "", "", 8, 8, false},    {"GH", "233", "0", "", "", 9, 9, false},
    {"NG", "234", "0", "", "", 8, 10, false},   {"TD", "235", "", "", "", 8, 8, false},
    {"CF", "236", "", "", "", 8, 8, false},     {"CM", "237", "", "", "", 9, 9, false},
    {"CV", "238", "", "", "", 7, 7, false},     {"GA", "241", "", "", "", 7, 8, true},
    {"CG", "242", "", "", "", 9, 9, true},      {"CD", "243", "0", "", "", 9, 9, false},
    {"AO", "244", "", "", "", 9, 9, false},     {"SC", "248", "", "", "", 7, 7, false},
    {"SD", "249", "0", "", "", 9, 9, false},    {"RW", "250", "0", "", "", 9, 9, false},
    {"ET", "251", "0", "", "", 9, 9, false},    {"SO", "252", "0", "", "", 7, 9, false},
    {"DJ", "253", "", "", "", 8, 8, false},     {"KE", "254", "0", "", "", 9, 9, false},
    {"TZ", "255", "0", "", "", 9, 9, false},    {"UG", "256", "0", "", "", 9, 9, false},
    {"BI", "257", "", "", "", 8, 8, false},     {"MZ", "258", "", "", "", 8, 9, false},
    {"ZM", "260", "0", "", "", 9, 9, false},    {"MG", "261", "0", "", "", 9, 9, false},
    {"RE", "262", "0", "", "", 9, 9, false},    {"YT", "262", "0", "", "", 9, 9, false},
    {"ZW", "263", "0", "", "", 8, 9, false},    {"NA", "264", "0", "", "", 8, 9, false},
    {"MW", "265", "0", "", "", 7, 9, false},    {"LS", "266", "", "", "", 8, 8, false},
    {"BW", "267", "", "", "", 7, 8, false},     {"SZ", "268", "", "", "", 8, 8, false},
    {"KM", "269", "", "", "", 7, 7, false},     {"ZA", "27", "0", "", "", 9, 9, false},
    {"AW", "297", "", "", "", 7, 7, false},     {"FO", "298", "", "", "", 6, 6, false},
    {"GL", "299", "", "", "", 6, 6, false},     {"GR", "30", "", "", "", 10, 10, false},
    {"NL", "31", "0", "", "", 9, 9, false},     {"BE", "32", "0", "", "", 8, 9, false},
    {"FR", "33", "0", "", "", 9, 9, false},     {"ES", "34", "", "", "", 9, 9, false},
    {"GI", "350", "", "", "", 8, 8, false},     {"PT", "351", "", "", "", 9, 9, false},
    {"LU", "352", "", "", "", 5, 11, false},    {"IE", "353", "0", "", "", 7, 9, false},
    {"IS", "354", "", "", "", 7, 9, false},     {"AL", "355", "0", "", "", 8, 9, false},
    {"MT", "356", "", "", "", 8, 8, false},     {"CY", "357", "", "", "", 8, 8, false},
    {"FI", "358", "0", "", "", 5, 12, false},   {"AX", "358", "0", "", "", 5, 12, false},
    {"BG", "359", "0", "", "", 7, 9, false},    {"HU", "36", "06", "", "", 8, 9, false},
    {"LT", "370", "8", "", "", 8, 8, false},    {"LV", "371", "", "", "", 8, 8, false},
    {"EE", "372", "", "", "", 7, 8, false},     {"MD", "373", "0", "", "", 8, 8, false},
    {"AM", "374", "0", "", "", 8, 8, false},    {"BY", "375", "80", "", "810", 9, 9, false},
    {"AD", "376", "", "", "", 6, 9, false},     {"MC", "377", "", "", "", 8, 9, false},
    {"SM", "378", "", "", "", 6, 10, true},     {"UA", "380", "0", "", "", 9, 9, false},
    {"RS", "381", "0", "", "", 8, 9, false},    {"ME", "382", "0", "", "", 8, 8, false},
    {"XK", "383", "0", "", "", 8, 9, false},    {"HR", "385", "0", "", "", 8, 9, false},
    {"SI", "386", "0", "", "", 8, 8, false},    {"BA", "387", "0", "", "", 8, 9, false},
    {"MK", "389", "0", "", "", 8, 8, false},    {"IT", "39", "", "", "", 6, 11, true},
    {"VA", "39", "", "", "", 6, 11, true},      {"RO", "40", "0", "", "", 9, 9, false},
    {"CH", "41", "0", "", "", 9, 9, false},     {"CZ", "420", "", "", "", 9, 9, false},
    {"SK", "421", "0", "", "", 9, 9, false},    {"LI", "423", "", "", "", 7, 9, false},
    {"AT", "43", "0", "", "", 4, 13, false},    {"GB", "44", "0", "", "", 9, 10, false},
    {"GG", "44", "0", "", "", 9, 10, false},    {"IM", "44", "0", "", "", 9, 10, false},
    {"JE", "44", "0", "", "", 9, 10, false},    {"DK", "45", "", "", "", 8, 8, false},
    {"SE", "46", "0", "", "", 7, 10, false},    {"NO", "47", "", "", "", 8, 8, false},
    {"SJ", "47", "", "", "", 8, 8, false},      {"PL", "48", "", "", "", 9, 9, false},
    {"DE", "49", "0", "", "", 5, 13, false},    {"BZ", "501", "", "", "", 7, 7, false},
    {"GT", "502", "", "", "", 8, 8, false},     {"SV", "503", "", "", "", 8, 8, false},
    {"HN", "504", "", "", "", 8, 8, false},     {"NI", "505", "", "", "", 8, 8, false},
    {"CR", "506", "", "", "", 8, 8, false},     {"PA", "507", "", "", "", 7, 8, false},
    {"HT", "509", "", "", "", 8, 8, false},     {"PE", "51", "0", "", "", 8, 9, false},
    {"MX", "52", "01", "1", "", 10, 10, false}, {"CU", "53", "0", "", "", 8, 8, false},
    {"AR", "54", "0", "9", "", 10, 10, false},  {"BR", "55", "0", "", "", 10, 11, false},
    {"CL", "56", "", "", "", 9, 9, false},      {"CO", "57", "0", "", "", 8, 10, false},
    {"VE", "58", "0", "", "", 10, 10, false},   {"BO", "591", "0", "", "", 8, 8, false},
    {"GY", "592", "", "", "", 7, 7, false},     {"EC", "593", "0", "", "", 8, 9, false},
    {"PY", "595", "0", "", "", 8, 9, false},    {"SR", "597", "", "", "", 6, 7, false},
    {"UY", "598", "0", "", "", 8, 8, false},    {"CW", "599", "", "", "", 7, 8, false},
    {"MY", "60", "0", "", "", 8, 10, false},    {"AU", "61", "0", "", "0011", 9, 9, false},
    {"ID", "62", "0", "", "", 8, 12, false},    {"PH", "63", "0", "", "", 8, 10, false},
    {"NZ", "64", "0", "", "", 8, 10, false},    {"SG", "65", "", "", "", 8, 8, false},
    {"TH", "66", "0", "", "", 8, 9, false},     {"BN", "673", "", "", "", 7, 7, false},
    {"PG", "675", "", "", "", 7, 8, false},     {"TO", "676", "", "", "", 5, 7, false},
    {"FJ", "679", "", "", "", 7, 7, false},     {"NC", "687", "", "", "", 6, 6, false},
    {"PF", "689", "", "", "", 8, 8, false},     {"RU", "7", "8", "", "810", 10, 10, false},
    {"KZ", "7", "8", "", "810", 10, 10, false}, {"JP", "81", "0", "", "010", 9, 10, false},
    {"KR", "82", "0", "", "", 8, 10, false},    {"VN", "84", "0", "", "", 9, 10, false},
    {"HK", "852", "", "", "", 8, 8, false},     {"MO", "853", "", "", "", 8, 8, false},
    {"KH", "855", "0", "", "", 8, 9, false},    {"LA", "856", "0", "", "", 8, 10, false},
    {"CN", "86", "0", "", "", 10, 11, false},   {"BD", "880", "0", "", "", 8, 10, false},
    {"TW", "886", "0", "", "", 8, 9, false},    {"TR", "90", "0", "", "", 10, 10, false},
    {"IN", "91", "0", "", "", 10, 10, false},   {"PK", "92", "0", "", "", 9, 10, false},
    {"AF", "93", "0", "", "", 9, 9, false},     {"LK", "94", "0", "", "", 9, 9, false},
    {"MM", "95", "0", "", "", 7, 10, false},    {"MV", "960", "", "", "", 7, 7, false},
    {"LB", "961", "0", "", "", 7, 8, false},    {"JO", "962", "0", "", "", 8, 9, false},
    {"SY", "963", "0", "", "", 8, 9, false},    {"IQ", "964", "0", "", "", 8, 10, false},
    {"KW", "965", "", "", "", 8, 8, false},     {"SA", "966", "0", "", "", 9, 9, false},
    {"YE", "967", "0", "", "", 7, 9, false},    {"OM", "968", "", "", "", 8, 8, false},
    {"PS", "970", "0", "", "", 8, 9, false},    {"AE", "971", "0", "", "", 8, 9, false},
    {"IL", "972", "0", "", "", 8, 9, false},    {"BH", "973", "", "", "", 8, 8, false},
    {"QA", "974", "", "", "", 8, 8, false},     {"BT", "975", "", "", "", 7, 8, false},
    {"MN", "976", "0", "", "", 8, 8, false},    {"NP", "977", "0", "", "", 8, 10, false},
    {"IR", "98", "0", "", "", 10, 10, false},   {"TJ", "992", "", "", "", 9, 9, false},
    {"TM", "993", "8", "", "", 8, 8, false},    {"AZ", "994", "0", "", "", 9, 9, false},
    {"GE", "995", "0", "", "", 9, 9, false},    {"KG", "996", "0", "", "", 9, 9, false},
    {"UZ", "998", "", "", "", 9, 9, false}};

const struct kin_norm_country *kin_norm_country_by_iso(const char iso[2])
{
    for (size_t i = 0; i < sizeof countries / sizeof *countries; i++) {
        if (countries[i].iso[0] == iso[0] && countries[i].iso[1] == iso[1])
            return &countries[i];
    }
    return NULL;
}

/* The first country with exactly this code. */
static const struct kin_norm_country *find_code(const char *code, size_t n)
{
    size_t count = sizeof countries / sizeof *countries, low = 0, high = count;
    struct kin_str want = {code, n};
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (kin_str_cmp(kin_str_of(countries[middle].code), want) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < count && kin_str_eq(kin_str_of(countries[low].code), want);
    return found ? &countries[low] : NULL;
}

const struct kin_norm_country *kin_norm_country_by_digits(const char *digits, size_t n)
{
    for (size_t length = 1; length <= 3 && length <= n; length++) { /* no code starts another */
        const struct kin_norm_country *c = find_code(digits, length);
        if (c)
            return c;
    }
    return NULL;
}

/* ---- for the tests ---- */

size_t kin_norm_country_count(void)
{
    return sizeof countries / sizeof *countries;
}

const struct kin_norm_country *kin_norm_country_at(size_t i)
{
    return &countries[i];
}

size_t kin_norm_letter_count(void)
{
    return sizeof letters / sizeof *letters;
}

const struct kin_norm_letter *kin_norm_letter_at(size_t i)
{
    return &letters[i];
}

size_t kin_norm_address_word_count(void)
{
    return sizeof address_words / sizeof *address_words;
}

struct kin_str kin_norm_address_word_at(size_t i)
{
    return kin_str_of(address_words[i].from);
}
