import java.util.Locale;
import org.joda.time.DateTime;
import org.joda.time.DateTimeZone;
import org.joda.time.format.DateTimeFormat;
import org.joda.time.format.DateTimeFormatter;
import org.joda.time.format.ISODateTimeFormat;

// Prints what Joda-Time makes of times: lines of "format", zone, duration, time, pattern and text, where the time is cut down to a multiple
// of the duration in the zone's local time, and lines of "parse", text and milliseconds.
public class Oracle {
    static final String[] ZONES = {"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "+05:30", "-03:00"};
    static final long[] DURATIONS = {1, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 604_800_000};
    static final String[] PATTERNS = {
        "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", "yyyy-MM-dd'T'HH:mm:ss.SSS", "YYYY/MM/dd", "YY-yy-xx", "xxxx-'W'ww-e", "YYYYYY", "y/M/d/H/m/s/S", "DDD", "D", "EEE EEEE",
        "MMM MMMM MMMMM", "G", "CC", "a hh KK kk", "h K k", "SS", "SSSSS", "Z", "ZZ", "ZZZ", "'it''s' ''yy''", "''", "dt=YYYY-MM-dd".replace("dt", "'dt'"), "ww", "w", "xx", "MM'month'dd'day'",
    };
    static final String[] TEXTS = {
        "2026", "2026-11", "2026-11-26", "2026-330", "2026-W48", "2026-W48-4", "2026-11-26T10", "2026-11-26T10:20", "2026-11-26T10:20:30", "2026-11-26T10:20:30.123",
        "2026-11-26T10:20:30,5", "2026-11-26T10:20:30.123456789Z", "2026-11-26T10:20:30Z", "2026-11-26T10:20:30+01:00", "2026-11-26T10:20:30-0330", "2026-11-26T10.5", "2026-11-26T10:20.25", "T10:20:30", "T10",
        "2026-11-26T", "-0001-01-01", "2026-02-30", "2026-13-01", "2026-11-26 10:20:30", "26-11-2026", "", "yesterday", "2026-11-26T24:00", "2026-W54", "2026-366", "2024-366", "2026-11-26T10:20:30+25:00", "12026-01-01",
        "2026-11-26T10Z", "2026-11-26TZ", "2026-1-2", "2026-11-26T1:2",
    };

    public static void main(String[] args) {
        long[] instants = new long[60];
        int n = 0;
        for (long t : new long[] {0, -1, 1, 999, -86_400_000L, 951_782_400_000L, 1_700_000_000_123L, 4_102_444_799_999L, -62_135_596_800_000L, -70_000_000_000_000L})
            instants[n++] = t;
        // Around changes of the offset in the zones above.
        for (long t : new long[] {1_774_746_000_000L, 1_792_890_000_000L, 1_772_953_200_000L, 1_793_512_800_000L, 1_775_314_800_000L, 1_791_039_600_000L, 1_325_239_200_000L})
            for (long d : new long[] {-7_200_000, -1_800_000, -1, 0, 1_799_999, 3_600_000})
                instants[n++] = t + d;
        for (String id : ZONES) {
            DateTimeZone zone = DateTimeZone.forID(id);
            for (int i = 0; i < n; i++)
                for (int d = 0; d < DURATIONS.length; d++) {
                    String pattern = PATTERNS[(i * DURATIONS.length + d) % PATTERNS.length];
                    format(zone, DURATIONS[d], instants[i], PATTERNS[0]);
                    format(zone, DURATIONS[d], instants[i], pattern);
                }
            for (String pattern : PATTERNS)
                for (long t : new long[] {1_700_000_000_123L, 1_735_689_599_999L, -70_000_000_000_000L})
                    format(zone, 1, t, pattern);
        }
        DateTimeFormatter iso = ISODateTimeFormat.dateTimeParser().withZoneUTC();
        for (String text : TEXTS) {
            String ms;
            try {
                ms = Long.toString(iso.parseMillis(text));
            } catch (IllegalArgumentException e) {
                ms = "error";
            }
            System.out.println("parse\t" + text + "\t" + ms);
        }
    }

    static void format(DateTimeZone zone, long duration, long instant, String pattern) {
        long local = zone.convertUTCToLocal(instant);
        long bucket = zone.convertLocalToUTC(local / duration * duration, false);
        DateTimeFormatter f = DateTimeFormat.forPattern(pattern).withZone(zone).withLocale(Locale.ENGLISH);
        System.out.println("format\t" + zone.getID() + "\t" + duration + "\t" + instant + "\t" + pattern + "\t" + f.print(new DateTime(bucket)));
    }
}
