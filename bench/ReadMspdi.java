import org.mpxj.ProjectFile;
import org.mpxj.mspdi.MSPDIReader;

/** Reads one MSPDI file with MPXJ and prints how many tasks came of it: for bench/msproject_pull.py. */
public class ReadMspdi {
    public static void main(String[] args) throws Exception {
        ProjectFile project = new MSPDIReader().read(args[0]);
        System.out.println(project.getTasks().size());
    }
}
