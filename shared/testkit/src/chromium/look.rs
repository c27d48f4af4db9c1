//! A page to the eye: in light, in dark and on a phone.

use std::path::Path;

use anyhow::Result;

use super::Browser;

/// The texts whose contrast is too low, by WCAG 2.2: 4.5 : 1 for what is not large.
const FAINT_TEXTS: &str = r#"
    const rgb = (text) => {
        const numbers = text.match(/[\d.]+/g).map(Number);
        return { rgb: numbers.slice(0, 3), alpha: numbers[3] ?? 1 };
    };
    const light = (rgb) => {
        const [r, g, b] = rgb.map((it) => it / 255).map((it) => it <= .04045 ? it / 12.92 : ((it + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const ground = (element) => {
        for (let it = element; it; it = it.parentElement) {
            const colour = rgb(getComputedStyle(it).backgroundColor);
            if (colour.alpha === 1) return colour.rgb;
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.body.querySelectorAll("*")) {
        const own = Array.from(element.childNodes).some((it) => it.nodeType === 3 && it.data.trim());
        if (!own || !element.checkVisibility()) continue;
        const [a, b] = [light(rgb(getComputedStyle(element).color).rgb), light(ground(element))];
        const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${element.textContent.trim()}`);
    }
    return faint;
"#;

/// A name, a width in CSS pixels, and whether dark colours are preferred.
const VIEWS: [(&str, u32, bool); 4] = [
    ("light", 900, false),
    ("dark", 900, true),
    ("phone", 320, false),
    ("phone-dark", 320, true),
];

impl Browser {
    /// Photographs the page in light, in dark and on a phone, as `<folder>/<name>-<view>.png`, and
    /// answers what cannot be read there: texts of too little contrast, and a page that is wider
    /// than the window.
    pub async fn look(&self, folder: &Path, name: &str) -> Result<Vec<String>> {
        let mut findings = Vec::new();
        for (view, width, dark) in VIEWS {
            self.viewport(width, 900).await?;
            self.prefer_dark(dark).await?;
            // Colours change over 150 ms.
            self.evaluate::<()>("return Promise.all(document.getAnimations().map((it) => it.finished)).then(() => {});").await?;
            self.screenshot(&folder.join(format!("{name}-{view}.png")))
                .await?;
            let faint: Vec<String> = self.evaluate(FAINT_TEXTS).await?;
            findings.extend(faint.into_iter().map(|it| format!("{view}: {it}")));
            let wide: u32 = self
                .evaluate("return document.documentElement.scrollWidth;")
                .await?;
            if wide > width {
                findings.push(format!("{view}: {wide} pixels wide"));
            }
        }
        Ok(findings)
    }
}
