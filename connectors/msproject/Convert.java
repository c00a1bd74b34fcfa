import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.mpxj.MPXJException;
import org.mpxj.ProjectField;
import org.mpxj.ProjectFile;
import org.mpxj.ProjectProperties;
import org.mpxj.mpp.MPPReader;
import org.mpxj.mpx.MPXReader;
import org.mpxj.mspdi.MSPDIWriter;
import org.mpxj.primavera.PrimaveraPMFileReader;
import org.mpxj.primavera.PrimaveraXERFileReader;
import org.mpxj.reader.ProjectReader;

/**
 * Converts project files to MSPDI, one after the other, and answers each order with one line: connectors/msproject/java.py.
 *
 * The reader is named in the order and never guessed: MPXJ's guessing reader also opens archives and databases.
 */
public class Convert {
    private static final PrintStream ANSWERS = System.out;

    /** The first moment that Project knows; connectors/msproject/native.py takes it for no date. */
    private static final LocalDateTime NEVER = LocalDateTime.of(1984, 1, 1, 0, 0);

    /** Takes the path of a file with the orders, one a line: kind, input, output, set apart by tabs. */
    public static void main(String[] args) throws IOException {
        System.setOut(System.err);  // for what libraries print
        endWithParent();
        answer("ready");
        try (BufferedReader orders = Files.newBufferedReader(Path.of(args[0]), StandardCharsets.UTF_8)) {
            for (String order = orders.readLine(); order != null; order = orders.readLine()) {
                String[] parts = order.split("\t");
                answer(convert(parts[0], parts[1], parts[2]));
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private static String convert(String kind, String input, String output) {
        try {
            List<ProjectFile> projects = kind.equals("mpx") ? readMpx(input) : reader(kind).readAll(input);
            if (projects.size() != 1) {
                return "projects " + projects.size();
            }
            write(projects.get(0), output);
            return "done";
        } catch (OutOfMemoryError problem) {
            return "memory";
        } catch (Throwable problem) {  // a damaged file may bring up anything, an overflow of the stack too
            return "failed " + String.valueOf(problem).replaceAll("\\s+", " ");
        }
    }

    private static ProjectReader reader(String kind) {
        switch (kind) {
            case "mpp": return new MPPReader();
            case "xer": return new PrimaveraXERFileReader();
            case "pmxml": return new PrimaveraPMFileReader();
            default: throw new IllegalArgumentException(kind);
        }
    }

    /** The words of an MPX file are those of one language, which it does not name; English is the usual one. */
    private static List<ProjectFile> readMpx(String input) throws MPXJException {
        MPXJException first = null;
        List<Locale> locales = new ArrayList<>(List.of(Locale.ENGLISH));
        locales.addAll(Arrays.asList(MPXReader.getSupportedLocales()));
        for (Locale locale : locales) {
            try {
                MPXReader reader = new MPXReader();
                reader.setLocale(locale);
                return reader.readAll(input);
            } catch (MPXJException problem) {
                first = first == null ? problem : first;
            }
        }
        throw first;
    }

    private static void write(ProjectFile project, String output) throws IOException {
        ProjectProperties properties = project.getProjectProperties();
        if (properties.getCachedValue(ProjectField.CURRENT_DATE) == null) {
            // Else MPXJ writes the time of the conversion.
            properties.setCurrentDate(properties.getLastSaved() == null ? NEVER : properties.getLastSaved());
        }
        new MSPDIWriter().write(project, output);
    }

    private static void answer(String line) {
        ANSWERS.println(line);
        ANSWERS.flush();
    }

    /** Standard input is held open by the process that started this one; its end is ours. */
    private static void endWithParent() {
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (IOException lost) {
                // as good as its end
            }
            Runtime.getRuntime().halt(1);
        });
        watch.setDaemon(true);
        watch.start();
    }
}
