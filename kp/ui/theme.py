"""Colours and spacing. Contrast passes WCAG AA in light and in dark (axe checks it in the tests)."""

import gradio as gr

FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

THEME = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=FONT, font_mono=MONO).set(
    body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300",
    button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700", button_primary_background_fill_hover_dark="*primary_600",
    button_cancel_background_fill="#b91c1c", button_cancel_background_fill_hover="#991b1b",
    button_cancel_background_fill_dark="#b91c1c",
    block_label_text_color="*neutral_700", block_title_text_color="*neutral_700",
    checkbox_label_text_color="*neutral_800",
)

CSS = """
.gradio-container {width: 100% !important; max-width: 1360px !important; margin: 0 auto !important}
footer button, footer a {color: var(--body-text-color-subdued) !important}
#kp-head h1 {font-size: 1.5rem; margin: 0}
#kp-head p {margin: 2px 0 0; color: var(--body-text-color-subdued)}
.kp-lead p {font-size: 1rem; margin: 0}
.kp-note, .kp-note p {color: var(--body-text-color-subdued); font-size: .875rem; margin: 0}
.kp-card {font-size: .875rem; line-height: 1.45; color: var(--body-text-color)}
.kp-card b {font-weight: 600}
.kp-notice {border: 1px solid var(--border-color-primary); border-left: 4px solid var(--color-accent);
  border-radius: 8px; padding: 12px 16px}
.kp-run {font-size: .9375rem; min-height: 2.4em; color: var(--body-text-color)}
.kp-bar {height: 6px; border-radius: 3px; background: var(--border-color-primary); margin-top: 6px; overflow: hidden}
.kp-bar div {height: 100%; background: var(--color-accent)}
.kp-faces {display: grid; grid-template-columns: repeat(auto-fit, minmax(88px, 1fr)); gap: 6px; margin-top: 6px}
.kp-faces figure {margin: 0}
.kp-faces img {width: 100%; aspect-ratio: 1; border-radius: 5px; display: block; margin: 0}
.kp-faces figcaption {font-size: .75rem; text-align: center; color: var(--body-text-color)}
.kp-charts {display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 16px}
.html-container {padding: 0 !important}
.tab-container button.selected {color: var(--primary-700) !important}
.dark .tab-container button.selected {color: var(--primary-300) !important}
@media (max-width: 640px) {
  .kp-faces {grid-template-columns: repeat(3, minmax(0, 1fr))}
  .gradio-container {padding: 8px !important}
  .gradio-container .tab-container button {padding-inline: 10px; min-height: 40px}
}
"""
