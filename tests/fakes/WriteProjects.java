import java.nio.file.Files;
import java.nio.file.Path;
import org.mpxj.ProjectFile;
import org.mpxj.mpx.MPXWriter;
import org.mpxj.mspdi.MSPDIReader;
import org.mpxj.primavera.PrimaveraPMFileWriter;
import org.mpxj.primavera.PrimaveraXERFileWriter;
import org.mpxj.writer.ProjectWriter;

/** Writes MSPDI files as other programs would: a file with orders, one a line: input and output, set apart by a tab. */
public class WriteProjects {
    public static void main(String[] args) throws Exception {
        for (String order : Files.readAllLines(Path.of(args[0]))) {
            String[] parts = order.split("\t");
            ProjectFile project = new MSPDIReader().read(parts[0]);
            writer(parts[1]).write(project, parts[1]);
        }
    }

    private static ProjectWriter writer(String output) {
        switch (output.substring(output.lastIndexOf('.') + 1)) {
            case "mpx": return new MPXWriter();
            case "xer": return new PrimaveraXERFileWriter();
            case "pmxml": return new PrimaveraPMFileWriter();
            default: throw new IllegalArgumentException(output);
        }
    }
}
