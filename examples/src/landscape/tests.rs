use super::contours::contours;
use super::*;

/// The squared distance from the middle of a square from -2 to 2.
fn bowl() -> (Plane, Vec<f32>) {
    let plane = Plane { across: -2.0..2.0, up: -2.0..2.0, points: (81, 81) };
    let heights = plane.places().map(|(x, y)| (x * x + y * y) as f32).collect();
    (plane, heights)
}

fn length(line: &[Place]) -> f64 {
    line.windows(2).map(|ends| (ends[1].0 - ends[0].0).hypot(ends[1].1 - ends[0].1)).sum()
}

#[test]
fn a_contour_of_a_bowl_is_one_closed_circle() {
    let (plane, heights) = bowl();
    let lines = contours(&plane, &heights, 1.7);
    let [line] = lines.as_slice() else { panic!("{} lines", lines.len()) };
    assert_eq!(line.first(), line.last());
    let radius = 1.7_f64.sqrt();
    for (x, y) in line {
        // Heights are linear between points of the grid, which are 0.05 apart, and so off by its square at most.
        assert!((x.hypot(*y) - radius).abs() < 0.0025, "({x}, {y})");
    }
    let around = std::f64::consts::TAU * radius;
    assert!((length(line) - around).abs() < 0.005 * around, "{} of {around}", length(line));
}

#[test]
fn a_contour_that_leaves_the_plane_is_open_lines() {
    let (plane, heights) = bowl();
    // Above 4 the circle is cut into four arcs at the corners.
    let lines = contours(&plane, &heights, 5.0);
    assert_eq!(lines.len(), 4);
    let on_border = |&(x, y): &Place| x.abs() == 2.0 || y.abs() == 2.0;
    for line in &lines {
        assert!(line.first().is_some_and(on_border) && line.last().is_some_and(on_border));
        // From (1, 2) to (2, 1) around the middle.
        let arc = 5.0_f64.sqrt() * (2.0_f64.atan() - 0.5_f64.atan());
        assert!((length(line) - arc).abs() < 0.01 * arc, "{} of {arc}", length(line));
    }
    assert_eq!(contours(&plane, &heights, 9.0).len(), 0);
}

#[test]
fn pictures_show_contours_paths_and_their_names() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (plane, heights) = bowl();
    let paths = [("Sgd", vec![(-1.5, 1.5), (0.0, 0.0)]), ("Adam", vec![(-1.5, 1.5), (1.5, 1.0)])];
    let landscape =
        Landscape { title: "a bowl", plane, heights: &heights, levels: &[0.5, 1.5], paths: &paths, lowest: (0.0, 0.0) };
    let folder = std::env::temp_dir().join(format!("tapeless-landscape-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let [svg, png] = ["bowl.svg", "bowl.png"].map(|name| folder.join(name));
    landscape.write_svg(&svg)?;
    landscape.write_png(&png)?;
    let text = std::fs::read_to_string(&svg)?;
    for part in ["a bowl", "Sgd", "Adam", "#1F77B4", "#D62728"] {
        assert!(text.contains(part), "{part} is missing");
    }
    let mut reader = png::Decoder::new(std::io::BufReader::new(File::open(&png)?)).read_info()?;
    let mut pixels = vec![0; 3 * (PIXELS.0 * PIXELS.1) as usize];
    reader.next_frame(&mut pixels)?;
    std::fs::remove_dir_all(&folder)?;
    for colour in [[31, 119, 180], [214, 39, 40]] {
        let count = pixels.chunks(3).filter(|pixel| *pixel == colour).count();
        assert!(count > 100, "{count} pixels of {colour:?}");
    }
    Ok(())
}

#[test]
fn a_picture_that_cannot_be_written_is_an_error_with_its_file() {
    let (plane, heights) = bowl();
    let landscape = Landscape { title: "", plane, heights: &heights, levels: &[], paths: &[], lowest: (0.0, 0.0) };
    let file = Path::new("no such folder/bowl.svg");
    for error in [landscape.write_svg(file), landscape.write_png(file)] {
        let error = error.expect_err("there is no folder").to_string();
        assert!(error.starts_with("no such folder/bowl.svg: "), "{error}");
    }
}
