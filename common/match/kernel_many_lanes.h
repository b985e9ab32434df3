/* The kernels over lanes of LANE_BITS each, as a template of the template: kernel_many_ops.h
 * includes it once for each width. The query is the pattern (bit i: its i-th character, of at most
 * LANE_BITS), a candidate the text; eq[j] has in each lane the places in the query of its
 * candidate's character j. */
#if LANE_BITS == 8
typedef uint8_t lanes_8 __attribute__((vector_size(MANY_BYTES)));
#define LANES lanes_8
#define LANE(x) ((uint8_t)(x))
#define IN_LANES(name) name##_8
#else
typedef uint16_t lanes_16 __attribute__((vector_size(MANY_BYTES)));
#define LANES lanes_16
#define LANE(x) ((uint16_t)(x))
#define IN_LANES(name) name##_16
#endif

MANY_INLINE LANES IN_LANES(popcount)(LANES x)
{
    x = x - ((x >> 1) & LANE(0x5555));
    x = (x & LANE(0x3333)) + ((x >> 2) & LANE(0x3333));
    x = (x + (x >> 4)) & LANE(0x0f0f);
#if LANE_BITS == 16
    x = (x + (x >> 8)) & LANE(0xff);
#endif
    return x;
}

/* The recurrence of kernel_short.h. The score is not followed: along the last column it grows from
 * the candidate's length by the vertical differences. Lanes whose candidate has ended stay. */
MANY_INLINE LANES IN_LANES(edit)(const LANES *eqs, LANES length, struct many_span span, bool swaps)
{
    const LANES zero = {0};
    LANES vp = ~zero, vn = zero, d0 = zero, before = zero;
    for (unsigned j = 0; j < span.longest; j++) {
        LANES eq = eqs[j];
        LANES x = eq | vn;
        if (swaps) {
            LANES swap = ~d0 & eq;
            x |= (swap + swap) & before;
            before = eq;
        }
        d0 = (((eq & vp) + vp) ^ vp) | x;
        LANES hp = vn | ~(d0 | vp);
        LANES hn = d0 & vp;
        hp = hp + hp + LANE(1);
        hn = hn + hn;
        LANES vp_next = hn | ~(d0 | hp);
        LANES vn_next = hp & d0;
        if (j >= span.shortest) {
            LANES over = (LANES)(length <= LANE(j));
            vp_next = (vp & over) | (vp_next & ~over);
            vn_next = (vn & over) | (vn_next & ~over);
        }
        vp = vp_next;
        vn = vn_next;
    }
    LANES live = zero + LANE(kin_kernel_ones(span.query));
    return length + IN_LANES(popcount)(vp & live) - IN_LANES(popcount)(vn & live);
}

/* Number of matches; taken[j]: the place that character j matched, as a bit. */
MANY_INLINE LANES IN_LANES(matches)(const LANES *eqs, LANES length, struct many_span span,
                                    LANES *taken)
{
    const LANES zero = {0};
    LANES longer = length;
    LANES query = zero + LANE(span.query);
    LANES is_longer = (LANES)(query > longer);
    longer = (query & is_longer) | (longer & ~is_longer);
    LANES reach = (longer >> 1) - LANE(1); /* of two and three characters it is 0, */
    reach &= (LANES)(longer > LANE(1));    /* and so it is of one */
    LANES window = zero;
    for (unsigned i = 0; i <= KIN_MANY_LENGTH / 2 - 1; i++)
        window |= (LANES)(reach >= LANE(i)) & LANE(1u << i);
    LANES used = zero;
    for (unsigned j = 0; j < span.longest; j++) {
        LANES found = eqs[j] & window & ~used;
        found &= zero - found;
        used |= found;
        taken[j] = found;
        window = window + window - (LANES)(reach > LANE(j)); /* j - reach to j + reach */
    }
    return IN_LANES(popcount)(used);
}

/* How many of the matched characters of the query, in order, differ from those of the candidate. */
MANY_INLINE LANES IN_LANES(moved)(const LANES *eqs, const LANES *taken, unsigned longest)
{
    const LANES zero = {0};
    LANES left = zero, count = zero;
    for (unsigned j = 0; j < longest; j++)
        left |= taken[j];
    for (unsigned j = 0; j < longest; j++) {
        LANES hit = (LANES)(taken[j] != zero);
        LANES next = left & (zero - left) & hit;
        count -= (LANES)((eqs[j] & next) == zero) & hit;
        left ^= next;
    }
    return count;
}

#undef LANES
#undef LANE
#undef IN_LANES
#undef LANE_BITS
