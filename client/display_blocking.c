#include "client/display_blocking.h"

#include "client/display.h"

#include <stdio.h>

static const char *about(double x, char *number)
{
    return kin_display_number(x > 0 ? (uint64_t)(x + 0.5) : 0, number);
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void put_recall(const struct kin_report_recall *r, const char *judge, const char *verb,
                       struct kin_buf *out)
{
    char a[32], b[32], c[32], d[32];
    kin_buf_printf(out, "\n  Of the matches (what %s %s for such):\n", judge, verb);
    switch (r->state) {
    case KIN_RECALL_KNOWN:
        kin_buf_printf(
            out,
            "  the keys find about %s of %s (%s to %s): an estimated blocking recall of %.1f %%\n",
            about(r->found, a), about(r->matches, b), about(r->low, c), about(r->high, d),
            percent(r->found, r->matches));
        break;
    case KIN_RECALL_COMPLETE:
        kin_buf_printf(out,
                       "  the keys find %s: all that the rules match, as the keys follow from them "
                       "(but for blocks over max_block)\n",
                       about(r->found, a));
        break;
    case KIN_RECALL_UNKNOWN:
        kin_buf_printf(out, "  the keys find about %s. recall-unknown: %s.\n", about(r->found, a),
                       r->why ? r->why : "out of memory");
        if (r->at_most < 1)
            kin_buf_printf(out, "  By what other keys find it is at most %.1f %%.\n",
                           100 * r->at_most);
        break;
    case KIN_RECALL_NOT_LOOKED:
        break;
    }
}

static void put_keys(const struct kin_report *r, struct kin_buf *out)
{
    char a[32], b[32];
    bool known = r->recall.state == KIN_RECALL_KNOWN;
    kin_buf_printf(out, "\n  %-40s %12s %12s %16s\n", "blocking key", "matches", "only by it",
                   known ? "of all matches" : "of those found");
    for (size_t k = 0; k < r->key_count; k++) {
        const struct kin_report_key *key = &r->keys[k];
        kin_buf_printf(out, "  %-40.40s %12s %12s %14.1f %%%s\n", key->text, about(key->found, a),
                       about(key->found_alone, b),
                       percent(key->found, known ? r->recall.matches : r->recall.found),
                       key->star ? "  star" : "");
    }
}

static void put_next(const struct kin_report_recall *r, const char *judge, struct kin_buf *out)
{
    char a[32], b[32], c[32];
    bool known = r->state == KIN_RECALL_KNOWN, more = false;
    if (r->next_count == 0) {
        kin_buf_puts(out, "\n  No further key was found that would find noticeably more.\n");
        return;
    }
    kin_buf_printf(out, "\n  %-40s %16s %13s %13s %12s\n", "next key, the best first",
                   "extra pairs", "extra matches", "per million", known ? "recall" : "");
    for (unsigned i = 0; i < r->next_count; i++) {
        const struct kin_report_next_key *n = &r->next[i];
        kin_buf_printf(out, "  [%s]%*s %16s %13s %13s", n->text,
                       n->text[0] ? (int)(38 - (int)kin_str_of(n->text).n) : 0, "",
                       about(n->extra_pairs, a), about(n->extra_matches, b),
                       about(n->extra_pairs > 0 ? 1e6 * n->extra_matches / n->extra_pairs : 0, c));
        if (n->recall >= 0)
            kin_buf_printf(out, " %10.1f %%", 100 * n->recall);
        kin_buf_putc(out, '\n');
        more = more || n->taken > 1.2 * n->extra_matches;
    }
    if (more)
        kin_buf_printf(
            out,
            "  Under some of these keys more pairs are taken for matches than the present keys "
            "can have missed:\n  %s may be wrong there. Look at such pairs.\n",
            judge);
}

void kin_display_blocking(const struct kin_report *report, const struct kin_workflow *workflow,
                          struct kin_buf *out)
{
    const char *judge = !workflow->model       ? "the rules"
                        : workflow->rule_count ? "the rules and the model"
                                               : "the model";
    if (report->recall.state == KIN_RECALL_NOT_LOOKED)
        return;
    put_recall(&report->recall, judge, workflow->rule_count ? "take" : "takes", out);
    put_keys(report, out);
    put_next(&report->recall, judge, out);
}
