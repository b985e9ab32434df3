/* Great-circle distance by the haversine formula (Sinnott 1984), which stays exact for the small
 * distances that matter here, unlike the law of cosines. */
#include "common/match/kernels.h"

#include <math.h>

static const double earth_radius_km = 6371.0088; /* mean radius R1 of GRS 80 (Moritz 2000) */
static const double radians = 3.14159265358979323846 / 180.0;

double kin_geo_km(double lat_a, double lon_a, double lat_b, double lon_b)
{
    double up = sin((lat_b - lat_a) * radians / 2.0);
    double along = sin((lon_b - lon_a) * radians / 2.0);
    double h = up * up + cos(lat_a * radians) * cos(lat_b * radians) * along * along;
    return 2.0 * earth_radius_km *
           asin(sqrt(h > 1.0 ? 1.0 : h)); /* rounding may pass 1; NaN stays */
}
